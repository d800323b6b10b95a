from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.scripted_motion import Motion
from smolvla_ros.simulation.kinematics import GRIPPER, HEIGHT, PAN
from smolvla_ros.simulation.so100 import SO100

ROBOT = load_embodiment()
HOME = SO100.kinematics.arm_pose(ROBOT.home_rad)


def moved(column: int, by: float) -> np.ndarray:
    pose = HOME.copy()
    pose[column] += by
    return pose


def two_moves(start_velocity: np.ndarray) -> Motion:
    motion = Motion(SO100.kinematics, 5.0, HOME, start_velocity)
    motion.move_to(moved(PAN, 0.6), 0.7)
    motion.mark("turned")
    motion.move_to(moved(PAN, 0.6) + moved(HEIGHT, 0.02) - HOME, 0.5, overlap_s=0.2)
    return motion


def test_it_stands_before_its_start_and_after_its_end() -> None:
    motion = two_moves(np.zeros(6))
    first, last = motion.positions(np.array([4.0, motion.end_s + 3.0]))
    np.testing.assert_allclose(first, ROBOT.home_rad, atol=1e-9)
    np.testing.assert_allclose(SO100.kinematics.arm_pose(last), motion.end_pose, atol=1e-9)
    assert motion.time_of("turned") == pytest.approx(5.7)
    assert motion.end_s == pytest.approx(6.0)
    assert motion.time_of("no such mark") == np.inf


def test_it_takes_over_the_speed_it_begins_with_and_has_no_jumps() -> None:
    velocity = np.zeros(6)
    velocity[[PAN, GRIPPER]] = 0.8, 0.5
    motion = two_moves(velocity)
    step_s = 1e-3
    positions = motion.positions(np.arange(5.0, motion.end_s, step_s))
    speeds = np.diff(positions, axis=0) / step_s
    np.testing.assert_allclose(speeds[0], velocity, atol=0.01)
    assert np.abs(np.diff(speeds, axis=0)).max() < 40 * step_s  # rad/s^2
    np.testing.assert_allclose(speeds[-1], 0, atol=0.01)


def test_it_is_slowed_down_as_a_whole_until_no_joint_is_too_fast() -> None:
    motion = two_moves(np.zeros(6))
    motion.keep_within(np.full(6, 0.5))
    positions = motion.positions(np.arange(5.0, motion.end_s, 0.01))
    assert 0.4 < np.abs(np.diff(positions, axis=0)).max() / 0.01 < 0.52
    np.testing.assert_allclose(SO100.kinematics.arm_pose(positions[-1]), motion.end_pose, atol=1e-3)
    assert motion.time_of("turned") > 5.7


def test_a_move_that_is_under_way_is_the_second_half_of_one_twice_as_far() -> None:
    half, whole = (Motion(SO100.kinematics, 5.0, moved(PAN, start), np.zeros(6)) for start in (0.0, -0.3))
    half.move_to(moved(PAN, 0.3), 0.5, under_way=True)
    whole.move_to(moved(PAN, 0.3), 1.0)
    times_s = np.linspace(0.0, 0.7, 8)
    np.testing.assert_allclose(half.positions(5.0 + times_s), whole.positions(5.5 + times_s), atol=1e-9)
