"""Messages to arrays and back: stamps, rows of positions, images, poses. No decisions, no units: SI on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Duration as DurationMsg
from builtin_interfaces.msg import Time as TimeMsg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from smolvla_msgs.msg import JointPositions, SceneState
from smolvla_ros.bags.images import compressed_image, raw_image
from smolvla_ros.execution.trajectory import Trajectory
from smolvla_ros.policies.interface import ObjectPose

NANOSECONDS = 1_000_000_000


def seconds(stamp: TimeMsg | DurationMsg) -> float:
    return stamp.sec + stamp.nanosec / NANOSECONDS


def time_message(stamp_s: float) -> TimeMsg:
    whole, nanoseconds = divmod(round(stamp_s * NANOSECONDS), NANOSECONDS)
    return TimeMsg(sec=whole, nanosec=nanoseconds)


def duration_message(duration_s: float) -> DurationMsg:
    whole, nanoseconds = divmod(round(duration_s * NANOSECONDS), NANOSECONDS)
    return DurationMsg(sec=whole, nanosec=nanoseconds)


def rows_message(rows: np.ndarray) -> list[JointPositions]:
    """Rows (rows, joints)."""
    return [JointPositions(positions=row.tolist()) for row in rows]


def rows_array(rows: Sequence[JointPositions]) -> np.ndarray:
    """Rows (rows, joints); rows of different lengths give an array of one dimension, which no check lets through."""
    lengths = {len(row.positions) for row in rows}
    return np.array([row.positions for row in rows]) if len(lengths) == 1 else np.empty(len(rows))


def row_times(start: TimeMsg, count: int, step: DurationMsg) -> np.ndarray:
    """(rows,) s: of rows that are a step apart."""
    return seconds(start) + seconds(step) * np.arange(count)


def joint_positions(message: JointState, names: Sequence[str]) -> np.ndarray | None:
    """Positions (joints,) in the order of `names`; None where one is missing."""
    by_name = dict(zip(message.name, message.position, strict=False))
    return np.array([by_name[name] for name in names]) if all(name in by_name for name in names) else None


def trajectory_message(trajectory: Trajectory, names: Sequence[str]) -> JointTrajectory:
    """Starts at the first knot's time."""
    message = JointTrajectory(joint_names=list(names))
    start_s = float(trajectory.times_s[0])
    message.header.stamp = time_message(start_s)
    message.points = [
        JointTrajectoryPoint(
            positions=position.tolist(),
            velocities=velocity.tolist(),
            time_from_start=duration_message(time_s - start_s),
        )
        for time_s, position, velocity in zip(
            trajectory.times_s.tolist(), trajectory.positions, trajectory.velocities, strict=True
        )
    ]
    return message


def point_times(message: JointTrajectory) -> np.ndarray:
    """(points,) s: when a trajectory is at its points."""
    start_s = seconds(message.header.stamp)
    return np.array([start_s + seconds(point.time_from_start) for point in message.points])


def image_array(message: Image | CompressedImage) -> np.ndarray:
    """(height, width, 3) uint8 RGB. Raises ImageError."""
    if isinstance(message, CompressedImage):
        return compressed_image(message.data, message.format)
    return raw_image(message.height, message.width, message.encoding, message.step, message.data)


def object_poses(message: SceneState) -> dict[str, ObjectPose]:
    poses = {}
    for name, pose in zip(message.object_names, message.object_poses, strict=True):
        p, q = pose.position, pose.orientation
        poses[name] = ObjectPose(np.array([p.x, p.y, p.z]), np.array([q.w, q.x, q.y, q.z]))
    return poses


def diagnostics_message(
    stamp: TimeMsg, name: str, level: bytes, summary: str, values: Mapping[str, object]
) -> DiagnosticArray:
    """One status for /diagnostics."""
    pairs: Iterable[KeyValue] = (KeyValue(key=key, value=str(value)) for key, value in values.items())
    status = DiagnosticStatus(name=name, level=level, message=summary, hardware_id="so100", values=list(pairs))
    message = DiagnosticArray(status=[status])
    message.header.stamp = stamp
    return message
