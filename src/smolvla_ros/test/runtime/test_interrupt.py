from __future__ import annotations

import signal
import threading

import pytest
from smolvla_ros.runtime.interrupt import interrupting, told_to_stop, uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_are_an_event_meanwhile_and_what_they_were_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with told_to_stop() as told:
        assert not told.is_set()
        signal.raise_signal(number)
        assert told.wait(1.0)
    assert signal.getsignal(number) is before


def test_sigterm_is_a_keyboard_interrupt_meanwhile_and_what_it_was_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as interrupt, interrupting():
        signal.raise_signal(signal.SIGTERM)
    assert interrupt.value.args == (signal.SIGTERM,)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_where_nothing_may_be_interrupted_comes_at_its_end_and_once(number: signal.Signals) -> None:
    events = []
    before = signal.signal(number, lambda *_: events.append("signal"))
    try:
        with uninterrupted():
            signal.raise_signal(number)
            signal.raise_signal(number)
            events.append("end")
    finally:
        signal.signal(number, before)
    assert events == ["end", "signal"]


def test_elsewhere_than_in_the_main_thread_nothing_changes() -> None:
    reached = []

    def work() -> None:
        with uninterrupted():
            reached.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached == [signal.getsignal(signal.SIGINT)]
