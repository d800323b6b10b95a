"""A follower's goals from a leader's positions: at most so fast, and still while the leader is silent. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from so100_hardware.arm_file import ArmFile, ArmJoint


class LeaderFollower:
    """State: the goals, the targets they go to, and when the leader was last heard. Arrays are (joints,), rad."""

    def __init__(
        self,
        leader: ArmFile,
        follower: ArmFile,
        start_rad: np.ndarray,
        slew_rad_s: float,
        timeout_s: float,
        now_s: float,
    ) -> None:
        """Raises KeyError where the leader lacks a joint of the follower."""
        of_leader = {joint.name: joint for joint in leader.joints}
        self._pairs = [(of_leader[joint.name], joint) for joint in follower.joints]
        self._slew_rad_s, self._timeout_s = slew_rad_s, timeout_s
        self.goal_rad = np.array(start_rad, dtype=float)
        self._target_rad = self.goal_rad.copy()
        self._heard_s = self._stepped_s = now_s

    def step(self, leader_ticks: Mapping[int, int] | None, now_s: float) -> np.ndarray:
        """The goals now. `leader_ticks` is the leader's servo id -> position, None where it did not answer."""
        if leader_ticks is not None:
            self._target_rad = np.array([_angle(a, b, leader_ticks[a.servo_id]) for a, b in self._pairs])
            self._heard_s = now_s
        if not self.silent(now_s):
            reach = self._slew_rad_s * max(0.0, now_s - self._stepped_s)
            self.goal_rad = self.goal_rad + np.clip(self._target_rad - self.goal_rad, -reach, reach)
        self._stepped_s = now_s
        return self.goal_rad

    def silent(self, now_s: float) -> bool:
        """Whether the leader has been silent for too long."""
        return now_s - self._heard_s > self._timeout_s

    @property
    def distance_rad(self) -> float:
        """How far the goal that is furthest away has to go."""
        return float(np.abs(self._target_rad - self.goal_rad).max())


def _angle(leader: ArmJoint, follower: ArmJoint, ticks: int) -> float:
    """The follower's angle: the leader's own, or for a gripper the same share of its range, inside its limits."""
    if follower.lerobot_unit == "range_0_100":
        low, high = leader.range_ticks
        share = min(1.0, max(0.0, (ticks - low) / (high - low)))
        low, high = follower.range_ticks
        rad = follower.radians(low + share * (high - low))
    else:
        rad = leader.radians(ticks)
    return min(max(rad, follower.limits_rad[0]), follower.limits_rad[1])
