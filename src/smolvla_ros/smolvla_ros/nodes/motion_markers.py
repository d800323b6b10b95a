"""The coming motion and the executor's state as markers in the frame world."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

from smolvla_msgs.msg import ExecutorState
from smolvla_ros.nodes.conversions import duration_message
from smolvla_ros.nodes.operator import mode_name

FRAME = "world"
DOT_M, LINE_M, TEXT_M = 0.006, 0.003, 0.025
TEXT_PLACE = Point(x=0.0, y=0.0, z=0.45)
BLUE, ORANGE, WHITE, RED = (
    ColorRGBA(r=red, g=green, b=blue, a=1.0)
    for red, green, blue in ((0.2, 0.5, 1.0), (1.0, 0.55, 0.1), (1.0, 1.0, 1.0), (1.0, 0.25, 0.2))
)
# a policy that gives no more chunks leaves no dots behind
CHUNK_SHOWN_S = 3.0
HELD = (ExecutorState.MODE_FAULT, ExecutorState.MODE_EMERGENCY_STOP)


def chunk_marker(way: np.ndarray, stamp: Time) -> Marker:
    """Dots at way (rows, 3), m."""
    scale = Vector3(x=DOT_M, y=DOT_M, z=DOT_M)
    marker = _marker("chunk", Marker.SPHERE_LIST, scale, BLUE, stamp, duration_message(CHUNK_SHOWN_S))
    marker.points = _points(way)
    return marker


def motion_marker(way: np.ndarray, stamp: Time, lasts: Duration) -> Marker:
    """A line through way (rows, 3), m, as long as the motion lasts."""
    marker = _marker("motion", Marker.LINE_STRIP, Vector3(x=LINE_M), ORANGE, stamp, lasts)
    marker.points = _points(way)
    return marker


def state_marker(state: ExecutorState) -> Marker:
    """The mode, and below it why the arm holds or what it does."""
    colour = RED if state.mode in HELD else WHITE
    marker = _marker("state", Marker.TEXT_VIEW_FACING, Vector3(z=TEXT_M), colour, state.header.stamp, Duration())
    marker.pose.position = TEXT_PLACE
    marker.text = f"{mode_name(state)}\n{state.reason or state.instruction}"
    return marker


def _marker(name: str, kind: int, scale: Vector3, colour: ColorRGBA, stamp: Time, lifetime: Duration) -> Marker:
    marker = Marker(ns=name, type=kind, action=Marker.ADD, scale=scale, color=colour, lifetime=lifetime, pose=Pose())
    marker.header.stamp, marker.header.frame_id = stamp, FRAME
    return marker


def _points(way: np.ndarray) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in way.tolist()]
