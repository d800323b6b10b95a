from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench import HOME, ROBOT, STEP_S, TASK, TICK_S, Bench
from smolvla_ros.execution.executor import Mode
from smolvla_ros.execution.requests import Reason
from smolvla_ros.execution.timeline import ChunkRejected


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    return bench


def test_without_a_task_nothing_is_sent(bench: Bench) -> None:
    idle = Bench()
    idle.run(1.0)
    assert idle.executor.mode == Mode.IDLE
    assert not idle.trajectories
    assert not idle.requests


def test_a_task_runs_without_starving_and_follows_the_policy(bench: Bench) -> None:
    bench.run(5.0)
    assert bench.executor.mode == Mode.RUNNING
    assert bench.executor.counts.starved_s == 0
    assert bench.executor.counts.rows_executed == pytest.approx(4.9 * 30, rel=0.08)
    np.testing.assert_allclose(bench.commanded(), bench.wave(np.array([bench.now_s]))[0], atol=2e-3)


def test_chunks_are_asked_for_at_the_threshold(bench: Bench) -> None:
    bench.run(3.0)
    assert bench.requests[0].reason == Reason.START
    assert bench.requests[0].reset
    assert {request.reason for request in bench.requests[1:]} == {Reason.THRESHOLD}
    assert all(request.queued_rows <= 0.7 * 50 for request in bench.requests[1:])
    assert not any(request.reset for request in bench.requests[1:])


def test_a_request_carries_the_rows_that_will_be_executed_meanwhile_and_those_behind_them(bench: Bench) -> None:
    bench.run(3.0)
    request = bench.requests[-1]
    assert 0 < request.delay_rows == int(np.ceil(request.expected_latency_s / STEP_S)) < len(request.committed)
    assert len(request.committed) == pytest.approx(request.queued_rows, abs=1)
    times = request.committed_start_s + STEP_S * np.arange(len(request.committed))
    np.testing.assert_allclose(request.committed, bench.wave(times), atol=5e-3)


def test_commands_are_continuous_over_chunk_borders(bench: Bench) -> None:
    bench.run(5.0)
    for old, new in zip(bench.trajectories, bench.trajectories[1:], strict=False):
        start_s = new.times_s[0]
        np.testing.assert_allclose(old.sample(start_s)[0], new.positions[0], atol=1e-9)
        np.testing.assert_allclose(old.sample(start_s)[1], new.velocities[0], atol=1e-9)


def test_a_pause_of_the_executors_process_is_not_felt(bench: Bench) -> None:
    """The controller has all rows that are queued, not just the next ones."""
    bench.run(5.0)
    queued_s = bench.executor.timeline.end_s - bench.now_s
    assert queued_s > 1.0
    at = bench.now_s + np.linspace(0.0, queued_s, 50)
    followed = [bench.trajectories[-1].sample(time_s)[0] for time_s in at]
    np.testing.assert_allclose(followed, bench.wave(at), atol=2e-3)


def test_a_controller_that_takes_positions_alone_is_told_the_one_for_now_until_the_arm_rests(bench: Bench) -> None:
    assert bench.executor.motion.goal(bench.now_s) is None
    bench.run(2.0)
    np.testing.assert_allclose(bench.executor.motion.goal(bench.now_s), bench.commanded())
    bench.executor.end_task()
    bench.answers.clear()
    bench.run(0.2)
    np.testing.assert_allclose(bench.executor.motion.goal(bench.now_s), bench.trajectories[-1].positions[-1])
    bench.run(0.3)
    assert bench.executor.motion.goal(bench.now_s) is None


def test_a_dead_policy_starves_the_arm_which_holds_and_says_so(bench: Bench) -> None:
    bench.run(2.0)
    bench.policy_alive = False
    bench.answers.clear()
    bench.run(3.0)
    assert bench.executor.mode == Mode.STARVED
    assert "waiting for the policy" in bench.executor.reason
    assert bench.moved(2.0) == 0
    assert bench.executor.counts.starved_s > 1.0


def test_a_policy_that_comes_back_is_followed_again(bench: Bench) -> None:
    bench.run(2.0)
    bench.policy_alive = False
    bench.answers.clear()
    bench.run(4.0)
    bench.policy_alive = True
    bench.run(6.0)
    assert bench.requests[-1].reason == Reason.THRESHOLD
    assert bench.executor.mode == Mode.RUNNING
    assert bench.executor.gate.timed_out >= 1


def test_stale_joint_states_hold_the_arm_until_they_are_back(bench: Bench) -> None:
    bench.run(2.0)
    bench.joint_states_flow = False
    bench.run(0.5)
    assert bench.executor.mode == Mode.FAULT
    assert "joint states are stale: expected one of the last 0.3 s" in bench.executor.reason
    bench.answers.clear()
    assert bench.moved(1.0) < 1e-9
    bench.joint_states_flow = True
    bench.run(8.0)
    assert bench.executor.mode == Mode.RUNNING


def test_no_joint_state_at_all_is_a_fault_not_a_guess() -> None:
    bench = Bench()
    bench.joint_states_flow = False
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(0.5)
    assert bench.executor.mode == Mode.FAULT
    assert "is the driver running" in bench.executor.reason
    assert not bench.trajectories


@pytest.mark.parametrize(("stop", "go", "mode"), [("pause", "resume", Mode.PAUSED)])
def test_pause_holds_and_resume_goes_on_from_where_the_arm_is(bench: Bench, stop: str, go: str, mode: Mode) -> None:
    bench.run(2.0)
    getattr(bench.executor, stop)()
    with pytest.raises(ChunkRejected):
        bench.executor.on_chunk(bench.chunk(bench.now_s), bench.now_s)
    bench.answers.clear()
    bench.run(0.2)
    assert bench.executor.mode == mode
    assert bench.moved(1.0) == 0
    getattr(bench.executor, go)()
    bench.run(7.0)
    assert bench.executor.mode == Mode.RUNNING


def test_emergency_stop_wins_over_everything_and_stays_until_reset(bench: Bench) -> None:
    bench.run(2.0)
    bench.executor.emergency_stop()
    bench.answers.clear()
    bench.run(TICK_S)
    assert bench.executor.mode == Mode.EMERGENCY_STOP
    stop = bench.trajectories[-1]
    assert stop.times_s[-1] - stop.times_s[0] <= 0.1
    bench.executor.resume()
    bench.executor.start_task("another", bench.now_s)
    bench.run(1.0)
    assert bench.executor.mode == Mode.EMERGENCY_STOP
    assert bench.trajectories[-1] is stop


def test_the_end_of_a_task_is_one_smooth_stop(bench: Bench) -> None:
    bench.run(2.0)
    bench.executor.end_task()
    bench.answers.clear()
    count = len(bench.trajectories)
    bench.run(1.0)
    assert len(bench.trajectories) == count + 1
    assert bench.executor.mode == Mode.IDLE
    assert bench.moved(1.0) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joint_names": ("a", "b")}, "joint_names: expected shoulder_pan"),
        ({"positions": np.empty((0, 6))}, "expected rows of 6 joints"),
        ({"step_s": 0.0}, "step: expected above 0 s"),
        ({"step_s": -1.0}, "step: expected above 0 s"),
        ({"observation_s": 200.0}, "in the future"),
        ({"observation_s": 10.0}, "at most 5 s old"),
        ({"instruction": "dance"}, "instruction: expected"),
        ({"positions": np.full((50, 6), np.nan)}, "expected a number, found nan"),
        ({"positions": np.tile(HOME + 3.0, (50, 1))}, "jump: "),
    ],
)
def test_a_chunk_that_cannot_be_executed_is_refused_counted_and_changes_nothing(
    bench: Bench, change: dict, told: str
) -> None:
    bench.run(1.0)
    before, refused = bench.executor.timeline.rows()[1], bench.executor.counts.chunks_refused
    with pytest.raises(ChunkRejected, match=told):
        bench.executor.on_chunk(replace(bench.chunk(bench.now_s), **change), bench.now_s)
    np.testing.assert_array_equal(bench.executor.timeline.rows()[1], before)
    assert bench.executor.counts.chunks_refused == refused + 1


def test_an_answer_to_the_task_before_is_refused(bench: Bench) -> None:
    bench.run(0.06)
    assert bench.answers
    bench.executor.start_task(TASK, bench.now_s)
    with pytest.raises(ChunkRejected, match="of the task before"):
        bench.executor.on_chunk(bench.answers[0][1], bench.now_s)


def test_the_first_chunk_after_a_lost_request_still_opens_the_task() -> None:
    """The policy forgets the task before even if the request that said so never reached it."""
    bench = Bench(request_timeout_s=0.5)
    bench.policy_alive = False
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(1.2)
    assert [request.reason for request in bench.requests] == [Reason.START, Reason.TIMEOUT, Reason.TIMEOUT]
    assert all(request.reset for request in bench.requests)
    assert bench.executor.mode == Mode.STARVED
    assert bench.executor.reason == "the policy gave no answer within 0.5 s: is its node running?"
    bench.policy_alive = True
    bench.run(2.0)
    assert not bench.requests[-1].reset
    assert bench.executor.mode == Mode.RUNNING


@pytest.mark.parametrize("flush", [True, False])
def test_a_newer_task_keeps_or_drops_what_is_queued(bench: Bench, flush: bool) -> None:
    bench.run(2.0)
    bench.answers.clear()
    bench.policy_alive = False
    queued = len(bench.executor.timeline)
    bench.executor.start_task("another", bench.now_s, flush)
    bench.run(TICK_S)
    if flush:
        assert bench.executor.mode == Mode.STARVED
        assert bench.trajectories[-1].end_s - bench.now_s <= 0.1
        bench.run(0.1)
        assert bench.moved(1.0) == 0
    else:
        assert bench.executor.mode == Mode.RUNNING
        assert len(bench.executor.timeline) >= queued - 1
        assert bench.moved(0.5) > 0.05


def test_an_instruction_that_flushes_stops_the_arm_until_its_first_chunk(bench: Bench) -> None:
    bench.run(2.0)
    bench.answers.clear()
    bench.policy_alive = False
    bench.executor.change_instruction("open the gripper", flush=True)
    bench.run(0.15)
    assert bench.moved(1.0) == 0


def test_an_emergency_stop_also_stops_what_others_sent_to_the_controller() -> None:
    idle = Bench()
    idle.run(0.5)
    idle.executor.emergency_stop()
    idle.run(0.5)
    (hold,) = idle.trajectories
    np.testing.assert_allclose(hold.positions, np.tile(HOME, (len(hold.times_s), 1)))


def test_a_gripper_kept_open_by_what_it_holds_keeps_its_grip_over_a_pause(bench: Bench) -> None:
    bench.sag[5] = 0.3
    bench.run(2.0)
    bench.executor.pause()
    bench.answers.clear()
    bench.run(2.0)
    told = bench.commanded()
    bench.executor.resume()
    count = len(bench.trajectories)
    bench.run(0.2)
    np.testing.assert_allclose(bench.trajectories[count].positions[0], told, atol=1e-9)


def test_an_arm_that_somebody_moved_meanwhile_goes_on_from_where_it_is(bench: Bench) -> None:
    bench.run(2.0)
    bench.executor.pause()
    bench.answers.clear()
    bench.run(2.0)
    bench.sag[0] = 0.4
    bench.run(0.2)
    measured = bench.commanded() + bench.sag
    bench.executor.resume()
    count = len(bench.trajectories)
    bench.run(0.2)
    np.testing.assert_allclose(bench.trajectories[count].positions[0], measured, atol=1e-9)


def test_an_arm_that_fell_while_nobody_looked_goes_on_from_where_it_is(bench: Bench) -> None:
    bench.run(2.0)
    bench.joint_states_flow = False
    bench.run(1.0)
    bench.answers.clear()
    bench.sag[1] = 0.5
    bench.joint_states_flow = True
    count = len(bench.trajectories)
    measured = bench.commanded() + bench.sag
    bench.run(0.6)
    np.testing.assert_allclose(bench.trajectories[count].positions[0], measured, atol=1e-9)


def test_an_arm_that_still_moves_when_joint_states_are_back_is_waited_for(bench: Bench) -> None:
    """A start from a place that the arm is just passing would be a jump back."""
    bench.run(2.0)
    bench.joint_states_flow = False
    bench.run(0.5)
    bench.answers.clear()
    count = len(bench.trajectories)
    bench.joint_states_flow = True
    for _ in range(20):
        bench.sag[0] += 0.05
        bench.run(0.04)
    assert bench.executor.mode == Mode.FAULT
    assert bench.executor.reason == "waiting until the arm rests"
    assert len(bench.trajectories) == count
    bench.sag[0] = 0
    bench.run(2.0)
    assert bench.executor.mode == Mode.RUNNING


def test_a_clock_that_is_set_back_starts_the_arm_anew(bench: Bench) -> None:
    bench.run(2.0)
    task_time_s = bench.executor.task_time_s
    bench.answers.clear()
    bench.policy_alive = False
    measured = bench.commanded()
    bench.now_s -= 50.0
    bench.joint_states_flow = False
    for _ in range(15):
        bench.executor.on_joint_state(bench.now_s, measured)
        bench.run(TICK_S)
    assert bench.executor.mode == Mode.STARVED
    assert bench.requests[-1].reason == Reason.STARVED
    assert bench.executor.task_time_s == pytest.approx(task_time_s, abs=0.4)
    count = len(bench.trajectories)
    chunk = replace(bench.chunk(bench.now_s), positions=np.tile(measured, (50, 1)))
    bench.executor.on_chunk(chunk, bench.now_s)
    bench.run(TICK_S)
    np.testing.assert_allclose(bench.trajectories[count].positions[0], measured, atol=1e-9)
    assert bench.executor.mode == Mode.RUNNING


def test_unusable_joint_states_are_a_fault_that_names_what_is_wrong(bench: Bench) -> None:
    bench.run(1.0)
    bench.joint_states_flow = False
    for _ in range(30):
        bench.executor.on_unusable_joint_state("/joint_states: expected joints a; found b")
        bench.run(TICK_S)
    assert bench.executor.mode == Mode.FAULT
    assert bench.executor.reason == "/joint_states: expected joints a; found b"
    bench.executor.on_joint_state(bench.now_s, np.full(6, np.nan))
    bench.run(TICK_S)
    assert "expected numbers" in bench.executor.reason


def test_joints_in_another_order_are_executed_in_the_right_one(bench: Bench) -> None:
    bench.policy_alive = False
    bench.run(0.1)
    chunk = bench.chunk(bench.now_s, 1)
    shuffled = replace(chunk, joint_names=ROBOT.joint_names[::-1], positions=chunk.positions[:, ::-1])
    bench.executor.on_chunk(shuffled, bench.now_s)
    bench.run(0.5)
    np.testing.assert_allclose(bench.commanded(), bench.wave(np.array([bench.now_s]))[0], atol=1e-2)


def test_a_new_instruction_is_in_the_next_request_and_old_chunks_are_refused(bench: Bench) -> None:
    bench.run(1.0)
    bench.answers.clear()
    bench.executor.change_instruction("open the gripper", flush=True)
    bench.policy_alive = False
    bench.run(0.1)
    assert bench.requests[-1].instruction == "open the gripper"
    assert bench.requests[-1].reason == Reason.INSTRUCTION
    assert bench.executor.mode == Mode.STARVED
    with pytest.raises(ChunkRejected, match="instruction: expected 'open the gripper'"):
        bench.executor.on_chunk(bench.chunk(bench.now_s), bench.now_s)


def test_a_refusal_is_told_and_retried(bench: Bench) -> None:
    bench.policy_alive = False
    bench.run(0.1)
    assert not bench.executor.on_refusal(bench.requests[-1].id + 7, "of another time", bench.now_s)
    assert bench.executor.on_refusal(bench.requests[-1].id, "/top/image_raw: nothing has come on it", bench.now_s)
    bench.run(0.1)
    assert bench.executor.mode == Mode.FAULT
    assert bench.executor.reason == "/top/image_raw: nothing has come on it"
    bench.run(0.3)
    assert len(bench.requests) == 2
    assert 0.3 < bench.executor.held_s < 0.6


def test_latency_beyond_the_chunk_starves_and_is_measured() -> None:
    bench = Bench(latency_s=1.2, threshold=0.1)
    bench.run(0.1)
    bench.executor.start_task(TASK, bench.now_s)
    bench.run(8.0)
    assert bench.executor.counts.starved_s > 0.5
    assert bench.executor.timing.latency.quantile_s(0.5) == pytest.approx(1.2, abs=0.05)
