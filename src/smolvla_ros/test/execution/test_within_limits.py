from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.execution.safety import MotionLimits
from smolvla_ros.execution.within_limits import motion_within

LIMITS = MotionLimits.of(load_embodiment())
HOME = load_embodiment().home_rad
REST = np.zeros(6)


@given(
    arrays(float, (20, 6), elements=st.floats(-4, 4)),
    arrays(float, 6, elements=st.floats(-1, 1)),
    st.floats(0.02, 0.1),
    st.floats(0.5, 1.5),
    st.integers(1, 5),
)
def test_whatever_is_asked_the_arm_stays_inside_its_limits_between_rows_too(
    wanted: np.ndarray, start_velocity: np.ndarray, step_s: float, first: float, repeated: int
) -> None:
    rows = np.repeat(wanted, repeated, axis=0)
    times = step_s * (first + np.arange(len(rows)))
    motion = motion_within(0.0, HOME, start_velocity, times, rows, LIMITS)
    at = np.linspace(0.0, motion.trajectory.end_s, 1000)
    samples = [motion.trajectory.sample(time_s) for time_s in at]
    positions, velocities = (np.array(values) for values in zip(*samples, strict=True))
    assert np.all(positions >= LIMITS.lower - 1e-4)
    assert np.all(positions <= LIMITS.upper + 1e-4)
    assert np.all(np.abs(velocities) <= 1.02 * LIMITS.velocity)
    before_stop = at[:-1] < times[-1] - 1e-9
    acceleration = np.abs(np.diff(velocities, axis=0) / np.diff(at)[:, None])[before_stop]
    assert np.all(acceleration <= 1.5 * LIMITS.acceleration)
    np.testing.assert_array_equal(motion.trajectory.positions[1 : len(rows) + 1], motion.rows)


def test_a_motion_that_the_arm_can_do_is_not_changed() -> None:
    times = np.arange(1, 51) / 30
    rows = HOME + 0.3 * (1 - np.cos(3 * times))[:, None] * np.array([1, 1, -1, 1, 1, 1])
    motion = motion_within(0.0, HOME, REST, times, rows, LIMITS)
    assert motion.changed == 0
    np.testing.assert_array_equal(motion.rows, rows)


def test_at_full_speed_the_joint_is_no_faster_between_rows() -> None:
    """A cubic through rows that are just inside the velocity limit used to be half as fast again between them."""
    times = np.arange(1, 31) / 30
    rows = np.tile(HOME, (30, 1))
    rows[:, 0] += 1.6 * np.sin(6 * times)
    motion = motion_within(0.0, HOME, REST, times, rows, LIMITS)
    assert motion.changed > 0
    speeds = np.abs([motion.trajectory.sample(time_s)[1][0] for time_s in np.linspace(0, 1, 2000)])
    assert 0.8 * LIMITS.velocity[0] < speeds.max() <= 1.02 * LIMITS.velocity[0]
