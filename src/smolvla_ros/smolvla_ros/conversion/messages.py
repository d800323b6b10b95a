"""Messages of a bag as arrays, with what is wrong with them told by topic and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from smolvla_ros.bags.errors import BagError, ImageError, mismatch
from smolvla_ros.bags.images import compressed_image, raw_image
from smolvla_ros.conversion.commanded import NANOSECONDS, Command
from smolvla_ros.embodiment import Camera

OTHER_ROBOT = "give the embodiment file of the robot that was recorded (--embodiment)"


def joint_positions(where: str, message: Any, names: Sequence[str]) -> np.ndarray:
    """(joints,) rad in the order of `names`, of a JointState. Raises BagError."""
    by_name = dict(zip(message.name, message.position, strict=False))
    if not all(name in by_name for name in names):
        raise mismatch(where, f"joints {', '.join(names)}", ", ".join(message.name) or "none", OTHER_ROBOT)
    return np.array([by_name[name] for name in names])


def command_of(where: str, message: Any, received_ns: int, names: Sequence[str]) -> Command | None:
    """A JointTrajectory, or the positions that forward_position_controller is told; None where there are no points, or
    not as many positions as joints: the controllers take neither. Raises BagError.
    """
    if not hasattr(message, "points"):
        positions = np.array(message.data, dtype=float)
        fit = len(positions) == len(names) and np.isfinite(positions).all()
        return Command(received_ns, np.array([received_ns]), positions[None]) if fit else None
    if not len(message.points):
        return None
    if set(names) - set(message.joint_names):
        found = ", ".join(message.joint_names) or "none"
        raise mismatch(where, f"commands for joints {', '.join(names)}", found, OTHER_ROBOT)
    order = [list(message.joint_names).index(name) for name in names]
    start_ns = nanoseconds(message.header.stamp) or received_ns
    try:
        times = np.array([start_ns + nanoseconds(point.time_from_start) for point in message.points], dtype=np.int64)
        positions = np.array([point.positions for point in message.points], dtype=float)[:, order]
        moving = all(len(point.velocities) for point in message.points)
        velocities = np.array([p.velocities for p in message.points], dtype=float)[:, order] if moving else None
    except (ValueError, IndexError) as error:
        raise mismatch(where, "a position of each joint at each point", error, "leave the bag out") from None
    if (np.diff(times) <= 0).any():
        raise mismatch(where, "points with increasing time_from_start", "others", "leave the bag out")
    return Command(received_ns, times, positions, velocities)


def picture(where: str, message: Any, camera: Camera) -> np.ndarray:
    """(height, width, 3) uint8 RGB of an Image or CompressedImage, of the size of the embodiment file.

    Raises BagError.
    """
    try:
        if hasattr(message, "encoding"):
            image = raw_image(message.height, message.width, message.encoding, message.step, message.data)
        else:
            image = compressed_image(message.data, message.format)
    except ImageError as error:
        raise BagError(f"{where}: {error}; leave the bag out") from None
    if image.shape != (camera.height, camera.width, 3):
        found = f"{image.shape[1]}x{image.shape[0]}"
        remedy = f"cut the bag there, or say in the embodiment file what the {camera.name} camera is"
        raise mismatch(where, f"images of {camera.width}x{camera.height}", found, remedy)
    return image


def nanoseconds(stamp: Any) -> int:
    """Of a Time or Duration."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)
