from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.interface import Observation
from smolvla_ros.policies.scripted_motion import Motion
from smolvla_ros.policies.scripted_progress import behind_s
from smolvla_ros.simulation.arm import arm_of

STEP_S = 1 / 30
ROBOT = load_embodiment()
ARM = arm_of(ROBOT).kinematics
HOME = ARM.arm_pose(ROBOT.home_rad)


@pytest.fixture
def motion() -> Motion:
    made = Motion(ARM, 10.0, HOME, np.zeros(6))
    made.move_to(HOME + np.array([0.5, 0.03, 0.02, 0.1, 0.3, 0.2]), 1.5)
    made.wait(0.5)
    made.move_to(HOME, 1.0)
    return made


def queued(motion: Motion, stamp_s: float, late_s: float, step_s: float = STEP_S) -> Observation:
    """An arm that is late, with 40 rows queued."""
    own = motion.positions(stamp_s - late_s + STEP_S * np.arange(40))
    return Observation(stamp_s, {}, own[0], "", own, stamp_s, 10, committed_step_s=step_s)


@pytest.mark.parametrize("stamp_s", [10.8, 11.9, 12.4])
@pytest.mark.parametrize("late_s", [0.0, 0.01, 0.3, 0.75])
def test_rows_that_are_queued_tell_exactly_how_late_the_arm_is(motion: Motion, stamp_s: float, late_s: float) -> None:
    assert behind_s(motion, queued(motion, stamp_s, late_s), STEP_S) == pytest.approx(late_s, abs=5e-4)


def test_a_slower_pace_of_the_queue_is_no_delay(motion: Motion) -> None:
    observation = queued(motion, 10.8, 0.2, step_s=1.5 * STEP_S).at_step(STEP_S)
    assert behind_s(motion, observation, STEP_S) == pytest.approx(0.2, abs=5e-4)


def test_an_arm_that_has_stopped_is_as_late_as_the_motion_has_passed_it(motion: Motion) -> None:
    stopped = Observation(11.5, {}, motion.positions(np.array([10.9]))[0], "")
    assert behind_s(motion, stopped, STEP_S) == pytest.approx(0.6, abs=0.01)


def test_an_arm_that_hangs_a_little_behind_its_goals_is_not_late(motion: Motion) -> None:
    moving = Observation(10.9, {}, motion.positions(np.array([10.82]))[0], "")
    assert behind_s(motion, moving, STEP_S) == 0


def test_an_arm_elsewhere_is_not_late_but_off_the_motion(motion: Motion) -> None:
    away = queued(motion, 11.0, 0.0)
    away.committed[:, 0] += 0.5
    assert behind_s(motion, away, STEP_S) == 0
