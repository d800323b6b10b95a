from __future__ import annotations

import pytest
from smolvla_ros.execution.requests import Reason, RequestGate


@pytest.fixture
def gate() -> RequestGate:
    """Threshold 0.7, and a first request already sent and answered at 0 s."""
    gate = RequestGate(threshold=0.7, timeout_s=1.0)
    assert gate.next_request(0.0, queued=0, horizon=0) == (1, Reason.START)
    gate.answered(1, 0.0, with_rows=True)
    return gate


def test_a_chunk_is_asked_for_at_the_threshold_and_not_before(gate: RequestGate) -> None:
    assert gate.next_request(0.1, queued=36, horizon=50) is None
    assert gate.next_request(0.2, queued=35, horizon=50) == (2, Reason.THRESHOLD)


def test_with_nothing_new_to_see_the_threshold_is_no_reason_but_a_dry_queue_is(gate: RequestGate) -> None:
    assert gate.next_request(0.1, queued=35, horizon=50, nothing_new=True) is None
    assert gate.next_request(0.2, queued=1, horizon=50, nothing_new=True) is None
    assert gate.next_request(0.3, queued=0, horizon=50, nothing_new=True) == (2, Reason.STARVED)


def test_with_nothing_new_to_see_a_changed_instruction_is_still_asked_for(gate: RequestGate) -> None:
    gate.ask_now(Reason.INSTRUCTION)
    assert gate.next_request(0.1, queued=49, horizon=50, nothing_new=True) == (2, Reason.INSTRUCTION)


def test_at_most_one_request_is_in_flight(gate: RequestGate) -> None:
    assert gate.next_request(0.1, 35, 50) is not None
    assert gate.next_request(0.2, 0, 50) is None
    assert gate.next_request(0.9, 0, 50) is None


def test_a_lost_request_times_out_and_is_made_again(gate: RequestGate) -> None:
    gate.next_request(0.1, 35, 50)
    assert gate.next_request(1.2, 10, 50) == (3, Reason.TIMEOUT)
    assert gate.timed_out == 1


def test_a_dry_queue_asks_even_with_threshold_zero() -> None:
    gate = RequestGate(threshold=0.0, timeout_s=1.0)
    gate.next_request(0.0, 0, 0)
    gate.answered(1, 0.1, with_rows=True)
    assert gate.next_request(0.2, 1, 50) is None
    assert gate.next_request(0.3, 0, 50) == (2, Reason.STARVED)


def test_an_answer_without_rows_is_not_asked_for_again_at_once(gate: RequestGate) -> None:
    gate.next_request(0.1, 0, 50)
    gate.answered(2, 0.2, with_rows=False)
    assert gate.next_request(0.3, 0, 50) is None
    assert gate.next_request(0.5, 0, 50) == (3, Reason.STARVED)


def test_a_late_answer_to_a_given_up_request_changes_nothing(gate: RequestGate) -> None:
    gate.next_request(0.1, 35, 50)
    gate.next_request(1.2, 10, 50)
    gate.answered(2, 1.3, with_rows=True)
    assert gate.in_flight == 3


def test_a_changed_instruction_is_asked_for_at_once_even_in_flight(gate: RequestGate) -> None:
    gate.next_request(0.1, 35, 50)
    gate.ask_now(Reason.INSTRUCTION)
    assert gate.next_request(0.2, 49, 50) == (3, Reason.INSTRUCTION)


def test_a_new_task_begins_with_a_request_of_its_own(gate: RequestGate) -> None:
    gate.next_request(0.1, 35, 50)
    gate.restart()
    assert gate.first_id == 3
    assert gate.next_request(0.2, 50, 50) == (3, Reason.START)
    assert gate.sent == 1
