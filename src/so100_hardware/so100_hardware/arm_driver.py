"""One arm that follows trajectories and positions: `Arm`, and what joint_trajectory_controller and
forward_position_controller do on a ROS host.

The node and tests give it the time. What may reach the servos, and what happens when they fall silent, is decided by
`Arm` alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from so100_hardware._bus import Arm, ArmConfig, BusError, GroupState
from so100_hardware.forward_command import PositionsRejectedError, checked_positions
from so100_hardware.trajectory import Trajectory, TrajectoryFollower, TrajectoryRejectedError

RECONNECT_PERIOD_S = 1.0
STREAM_S = 0.5  # after a longer silence nobody streams positions any more


class ArmDriver:
    """State: the arm, the follower, how many trajectories and positions came. One thread calls it.

    On a ROS host one controller has the arm at a time; here the newest command has it, whatever its kind.
    """

    def __init__(self, config: ArmConfig) -> None:
        """Opens nothing yet."""
        self.arm = Arm(config)
        self.accepted = 0  # trajectories
        self.forwarded = 0  # positions
        self.rejected = 0  # of either
        self.released = False  # torque is off because somebody asked for it
        self.trouble = ""  # why the arm is not connected, in words for the operator
        self._follower = TrajectoryFollower(config.joint_names, np.zeros(len(config.joint_names)))
        self._retry_s = 0.0
        self._forwarded_s: float | None = None  # while positions stream in

    @property
    def connected(self) -> bool:
        return self.arm.phase == "active"

    @property
    def following(self) -> bool:
        """Whether somebody moves the arm: a trajectory has not come to its end, or positions stream in."""
        return self._follower.active or self._forwarded_s is not None

    def connect(self, now_s: float) -> None:
        """Opens, checks, seeds the goals, turns torque on and holds. Raises BusError and leaves torque off.

        On a connected arm it starts over, which is what brings back a servo that has lost its torque.
        """
        try:
            self.arm.open(now_s)
            self.arm.activate(now_s)
        except BusError as error:
            self.arm.close()
            self.trouble = str(error)
            raise
        self._follower.hold(self.arm.state.position_rad)
        self._forwarded_s = None
        self.trouble, self.released = "", False

    def release(self) -> str:
        """Torque off, for moving the arm by hand; it falls unless somebody supports it. Why not, or nothing.

        Only `connect` turns torque on again, with the goals at the positions.
        """
        if not self.connected:
            return self.trouble or "no connection"
        if self.following:
            return "expected an arm that holds, found it following commands: pause what moves it first"
        fault = self.arm.release()
        self.released = True
        self.trouble = "its torque is released: call ~/reconnect"
        return f"torque off failed ({fault}): the arm may still be stiff" if fault else ""

    def accept(self, trajectory: Trajectory, now_s: float) -> None:
        """A new trajectory in place of the present one. Raises TrajectoryRejectedError."""
        try:
            if not self.connected:
                raise TrajectoryRejectedError("servo bus", "a connection", self.trouble or "none")
            self._follower.accept(trajectory, now_s)
        except TrajectoryRejectedError:
            self.rejected += 1
            raise
        self.accepted += 1
        self._forwarded_s = None

    def forward(self, positions: Sequence[float], now_s: float) -> None:
        """Where to be from now on (joints,), rad, in place of whatever the arm followed; the arm's limits say how fast
        it goes there. Raises PositionsRejectedError.
        """
        try:
            if not self.connected:
                raise PositionsRejectedError("a connected servo bus", self.trouble or "none")
            self._follower.hold(checked_positions(positions, self.arm.config.joint_names))
        except PositionsRejectedError:
            self.rejected += 1
            raise
        self.forwarded += 1
        self._forwarded_s = now_s

    def cycle(self, now_s: float) -> GroupState | None:
        """One read and one write; a released arm is only read. The state, or None when there is no new one."""
        if self._forwarded_s is not None and now_s - self._forwarded_s > STREAM_S:
            self._forwarded_s = None
        readable = self.connected or (self.released and self.arm.phase == "open")
        if not readable:
            self._reconnect(now_s)
            return None
        state = self.arm.read(now_s)
        if self.arm.lost:
            self.trouble = f"{self.arm.config.usb_port}: {self.arm.lost_text}"
            self._follower.hold(self._follower.setpoint.position)
            self._forwarded_s = None
            self.arm.close()
            self._retry_s = now_s + RECONNECT_PERIOD_S
            return None
        if not self.released:
            self.arm.write(self._follower.sample(now_s).position, now_s)
        return None if state.fault else state

    def shut_down(self) -> str:
        """Parks, lets go as the description says, and closes; the fault of turning torque off, or nothing."""
        fault = self.arm.deactivate()
        self.arm.close()
        return fault

    def _reconnect(self, now_s: float) -> None:
        if self.released or not self.arm.config.auto_reconnect or now_s < self._retry_s:
            return  # nobody's torque comes on while somebody has the arm in his hands
        self._retry_s = now_s + RECONNECT_PERIOD_S
        try:
            self.connect(now_s)
        except BusError as error:
            self.trouble = str(error)
