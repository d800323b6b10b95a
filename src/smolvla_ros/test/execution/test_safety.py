from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.execution.safety import (
    MotionLimits,
    check_jump,
    check_rows,
    clamp_kinds,
    joint_columns,
    limit_motion,
)
from smolvla_ros.execution.timeline import ChunkRejected

LIMITS = MotionLimits.of(load_embodiment())
HOME = load_embodiment().home_rad


def test_rows_inside_all_limits_pass_unchanged() -> None:
    times = np.arange(1, 31) / 30
    rows = HOME + 0.3 * (1 - np.cos(2 * np.pi * times))[:, None] * np.array([1, 1, -1, 1, 1, 1])
    limited, changed = limit_motion(times, rows, 0.0, HOME, np.zeros(6), LIMITS)
    assert changed == 0
    np.testing.assert_allclose(limited, rows, atol=1e-12)


@given(
    arrays(float, (12, 6), elements=st.floats(-20, 20)),
    arrays(float, 6, elements=st.floats(-1, 1)),
    st.floats(0.005, 0.2),
)
def test_no_row_leaves_position_or_velocity_limits_whatever_is_asked(
    rows: np.ndarray, start_velocity: np.ndarray, first_s: float
) -> None:
    times = first_s + np.arange(12) / 30
    limited, _ = limit_motion(times, rows, 0.0, HOME, start_velocity, LIMITS)
    assert np.all(limited >= LIMITS.lower)
    assert np.all(limited <= LIMITS.upper)
    path = np.concatenate([HOME[None], limited])
    speed = np.diff(path, axis=0) / np.diff(np.concatenate([[0.0], times]))[:, None]
    assert np.all(np.abs(speed) <= LIMITS.velocity + 1e-6)


def test_a_far_row_is_approached_at_the_acceleration_limit_and_counted() -> None:
    rows = np.tile(HOME + np.array([1.0, 0, 0, 0, 0, 0]), (3, 1))
    times = np.arange(1, 4) / 30
    limited, changed = limit_motion(times, rows, 0.0, HOME, np.zeros(6), LIMITS)
    assert changed == 3
    first_velocity = (limited[0, 0] - HOME[0]) * 30
    # the mean over the first 1/30 s is what an even acceleration reaches in its middle
    assert first_velocity == pytest.approx(LIMITS.acceleration[0] / 60)
    assert (limited[1, 0] - limited[0, 0]) * 30 == pytest.approx(first_velocity + LIMITS.acceleration[0] / 30)


@pytest.mark.parametrize("pace", [0.0, 0.5])
def test_rows_that_were_left_behind_are_caught_up_with_and_not_shot_past(pace: float) -> None:
    times = np.arange(1, 25) / 30
    away = 0.3 + pace * times
    rows = HOME + away[:, None] * np.eye(6)[0]
    limited, _ = limit_motion(times, rows, 0.0, HOME, np.zeros(6), LIMITS)
    ahead = limited[:, 0] - rows[:, 0]
    assert ahead.max() < 0.01
    assert abs(ahead[8:]).max() < 1e-6


@given(arrays(float, (40, 6), elements=st.floats(-9, 9)), st.floats(0.01, 0.2))
def test_no_velocity_changes_faster_than_the_acceleration_limit_even_at_the_position_limits(
    rows: np.ndarray, step_s: float
) -> None:
    times = step_s * np.arange(1, 41)
    limited, _ = limit_motion(times, rows, 0.0, HOME, np.zeros(6), LIMITS)
    mean_velocity = np.diff(np.concatenate([HOME[None], limited]), axis=0) / step_s
    change = np.diff(np.concatenate([np.zeros((1, 6)), mean_velocity]), axis=0)
    assert np.all(np.abs(change) <= LIMITS.acceleration * step_s + 1e-6)


def test_a_row_beyond_a_position_limit_is_reached_up_to_the_limit() -> None:
    rows = np.tile(LIMITS.upper + 1.0, (60, 1))
    limited, changed = limit_motion(np.arange(1, 61) / 30, rows, 0.0, HOME, np.zeros(6), LIMITS)
    assert changed == 60
    np.testing.assert_allclose(limited[-1], LIMITS.upper, atol=1e-6)


def test_an_arm_that_is_too_fast_brakes_as_it_can() -> None:
    times = np.arange(1, 31) / 30
    rows = np.tile(HOME, (30, 1))
    start_velocity = np.array([5.0, 0, 0, 0, 0, 0])
    limited, _ = limit_motion(times, rows, 0.0, HOME, start_velocity, LIMITS)
    first_velocity = (limited[0, 0] - HOME[0]) * 30
    assert first_velocity == pytest.approx(5.0 - LIMITS.acceleration[0] / 60)
    np.testing.assert_allclose(limited[-1], HOME, atol=0.02)


@pytest.mark.parametrize(
    ("rows", "step_s", "told"),
    [
        (np.empty((0, 6)), 0.1, "expected rows of 6 joints"),
        (np.zeros((3, 5)), 0.1, r"found shape \(3, 5\)"),
        (np.zeros((3, 6)), 0.0, "step: expected above 0 s, found 0 s"),
        (np.zeros((3, 6)), -0.1, "found -0.1 s"),
        (np.array([[0, 0, np.nan, 0, 0, 0]]), 0.1, "row 0, elbow_flex: expected a number, found nan"),
        (np.array([[0, 0, 0, 0, 0, np.inf]]), 0.1, "gripper: expected a number, found inf"),
    ],
)
def test_malformed_rows_are_refused_with_expected_and_found(rows: np.ndarray, step_s: float, told: str) -> None:
    with pytest.raises(ChunkRejected, match=told):
        check_rows(rows, step_s, LIMITS)


def test_a_jump_is_refused_and_names_the_joint() -> None:
    far = HOME.copy()
    far[1] += 1.2
    with pytest.raises(ChunkRejected, match=r"shoulder_lift should go from 0\.60 to 1\.80 rad at once"):
        check_jump(far, HOME, 1.0, LIMITS)
    check_jump(far, HOME, 1.3, LIMITS)


def test_joints_in_another_order_are_sorted_and_foreign_ones_refused() -> None:
    assert joint_columns(("a", "b", "c"), ("c", "a", "b")) == [1, 2, 0]
    for found in (("a", "b"), ("a", "b", "d"), ("a", "b", "c", "c"), ()):
        with pytest.raises(ChunkRejected, match="joint_names: expected a, b, c; found"):
            joint_columns(("a", "b", "c"), found)


def test_what_was_moved_is_counted_by_why() -> None:
    times = np.arange(1, 31) / 30
    wanted = np.tile(HOME, (30, 1))
    wanted[10:, 0] = LIMITS.upper[0] + 0.2
    limited, changed = limit_motion(times, wanted, 0.0, HOME, np.zeros(6), LIMITS)
    kinds = clamp_kinds(times, wanted, limited, 0.0, HOME, LIMITS)
    assert kinds == {"position": 20}
    assert sum(kinds.values()) == changed
    inside = np.tile(HOME, (30, 1))
    inside[10:, 0] += 0.8
    limited, changed = limit_motion(times, inside, 0.0, HOME, np.zeros(6), LIMITS)
    kinds = clamp_kinds(times, inside, limited, 0.0, HOME, LIMITS)
    assert kinds["velocity"] == 1
    assert sum(kinds.values()) == changed
