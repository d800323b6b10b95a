from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image, JointState
from smolvla_ros.bags.errors import ImageError
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.nodes.conversions import (
    duration_message,
    image_array,
    joint_positions,
    rows_array,
    rows_message,
    seconds,
    time_message,
    trajectory_message,
)

from smolvla_msgs.msg import JointPositions

PIXELS = np.random.default_rng(3).integers(0, 256, (4, 5, 3), dtype=np.uint8)


@given(st.floats(0, 4e9))
def test_stamps_come_back_to_a_microsecond(stamp_s: float) -> None:
    message = time_message(stamp_s)
    assert 0 <= message.nanosec < 1_000_000_000
    assert seconds(message) == pytest.approx(stamp_s, abs=1e-6)


@given(st.floats(-1e6, 1e6))
def test_durations_come_back_negative_ones_too(duration_s: float) -> None:
    assert seconds(duration_message(duration_s)) == pytest.approx(duration_s, abs=1e-9)


def test_rows_come_back_and_ragged_ones_are_told_apart() -> None:
    rows = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(rows_array(rows_message(rows)), rows)
    ragged = [JointPositions(positions=[1.0]), JointPositions(positions=[1.0, 2.0])]
    assert rows_array(ragged).ndim == 1
    assert rows_array([]).ndim == 1


def test_joints_are_taken_by_name() -> None:
    message = JointState(name=["b", "c", "a"], position=[2.0, 3.0, 1.0])
    np.testing.assert_array_equal(joint_positions(message, ("a", "b")), [1.0, 2.0])
    assert joint_positions(message, ("a", "d")) is None
    assert joint_positions(JointState(name=["a"], position=[]), ("a",)) is None


def test_padded_rgb_and_bgr_images_are_read_alike() -> None:
    padded = np.zeros((4, 16), dtype=np.uint8)
    padded[:, :15] = PIXELS.reshape(4, 15)
    rgb = Image(height=4, width=5, encoding="rgb8", step=16, data=padded.tobytes())
    np.testing.assert_array_equal(image_array(rgb), PIXELS)
    bgr = Image(height=4, width=5, encoding="bgr8", step=15, data=PIXELS[..., ::-1].tobytes())
    np.testing.assert_array_equal(image_array(bgr), PIXELS)
    # torch takes no array with negative strides
    assert image_array(bgr).flags.c_contiguous


def test_compressed_images_are_read() -> None:
    coded = cv2.imencode(".png", PIXELS[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(image_array(CompressedImage(format="png", data=coded)), PIXELS)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (Image(height=4, width=5, encoding="16UC1", step=10, data=bytes(40)), "rgb8 or bgr8, found '16UC1'"),
        (Image(height=4, width=5, encoding="rgb8", step=15, data=bytes(30)), "expected 4 rows of 15 bytes, found 30"),
        (Image(height=4, width=5, encoding="rgb8", step=5, data=bytes(20)), "expected 4 rows of 5 bytes"),
        (CompressedImage(format="jpeg", data=b"no image"), "expected a JPEG or PNG, found 8 bytes of 'jpeg'"),
        (CompressedImage(format="jpeg"), "found 0 bytes"),
    ],
)
def test_an_image_that_cannot_be_read_says_what_was_found(message: Image | CompressedImage, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        image_array(message)


def test_a_trajectory_starts_at_its_first_knot() -> None:
    times = np.array([100.25, 100.5])
    message = trajectory_message(Trajectory(times, np.ones((2, 2)), np.zeros((2, 2))), ("a", "b"))
    assert seconds(message.header.stamp) == 100.25
    assert [seconds(point.time_from_start) for point in message.points] == [0.0, 0.25]
    assert list(message.points[1].positions) == [1.0, 1.0]
