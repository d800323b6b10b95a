"""One arm on one bus: connected or lost, following a trajectory or holding. The node and tests give it the time.

Torque is turned on by `ServoGroup.activate` alone, which makes the present positions the goals first; that is so at
the start and at each reconnection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from so100_hardware._bus import Bus, BusCounters, BusError, GroupState, ServoGroup, ServoJoint
from so100_hardware.description import HardwareDescription
from so100_hardware.trajectory import Trajectory, TrajectoryFollower, TrajectoryRejectedError

# A gap this long in the feedback ends the trajectory: catching up with it afterwards would be a jump.
HOLD_AFTER_S = 0.1
# Servos silent for this long count as lost, and the bus is opened anew.
LOST_AFTER_S = 0.5
RECONNECT_PERIOD_S = 1.0


@dataclass
class DriverCounters:
    """What happened since the start."""

    cycles: int = 0
    failed_reads: int = 0
    failed_writes: int = 0
    accepted: int = 0
    rejected: int = 0
    dropped: int = 0  # trajectories given up because feedback stopped
    lost: int = 0  # times that the bus was lost


class ArmDriver:
    """State: the open bus (None while lost), the follower, the counters. One thread calls it."""

    def __init__(self, description: HardwareDescription) -> None:
        """Raises BusError for joints that contradict themselves once a bus is opened; opens nothing yet."""
        self.description = description
        self.counters = DriverCounters()
        self._joints: Sequence[ServoJoint] = [joint.servo_joint() for joint in description.joints]
        self._follower = TrajectoryFollower(description.joint_names, np.zeros(len(self._joints)))
        self._bus: Bus | None = None
        self._group: ServoGroup | None = None
        self._clamped_before = 0  # by groups that are gone
        self._fresh_s = 0.0
        self._retry_s = 0.0
        self.trouble = ""  # why the bus is lost, in words for the operator
        self.last_state: GroupState | None = None

    @property
    def connected(self) -> bool:
        return self._group is not None

    @property
    def following(self) -> bool:
        return self._follower.active

    @property
    def clamped_goals(self) -> int:
        """Single goals outside of their joint's limits."""
        return self._clamped_before + (self._group.clamped_goals if self._group else 0)

    @property
    def bus_counters(self) -> BusCounters | None:
        return self._bus.counters if self._bus else None

    def connect(self, now_s: float) -> None:
        """Opens, checks, seeds the goals, turns torque on and holds. Raises BusError and leaves torque off."""
        bus = Bus(self.description.usb_port, self.description.baud_rate)
        try:
            group = ServoGroup(bus, self._joints)
            group.check_servos()
            state = group.activate()
        except BusError:
            bus.close()
            raise
        self._bus, self._group, self.last_state = bus, group, state
        self._follower.hold(state.position_rad)
        self._fresh_s = now_s
        self.trouble = ""

    def accept(self, trajectory: Trajectory, now_s: float) -> None:
        """A new trajectory in place of the present one. Raises TrajectoryRejectedError."""
        try:
            if not self.connected:
                raise TrajectoryRejectedError("servo bus", "a connection", self.trouble or "none")
            self._follower.accept(trajectory, now_s)
        except TrajectoryRejectedError:
            self.counters.rejected += 1
            raise
        self.counters.accepted += 1

    def cycle(self, now_s: float) -> GroupState | None:
        """One read and one write. The state, or None when there is no whole new one.

        A cycle without feedback sends no goals, so the servos hold their last ones.
        """
        if self._group is None:
            self._reconnect(now_s)
            return None
        self.counters.cycles += 1
        state = self._group.read()
        if state.fault:
            self.counters.failed_reads += 1
            self._endure(state.fault, now_s)
            return None
        self._fresh_s, self.last_state = now_s, state
        if self._group.write(self._follower.sample(now_s).position):
            self.counters.failed_writes += 1
        return state

    def shut_down(self, torque_off: bool) -> str:
        """Closes the bus; the fault of turning torque off, or nothing."""
        fault = self._group.torque_off() if self._group and torque_off else ""
        self._close()
        return fault

    def _endure(self, fault: str, now_s: float) -> None:
        silent_s = now_s - self._fresh_s
        if self._follower.active and silent_s > HOLD_AFTER_S:
            self._follower.hold(self._follower.setpoint.position)
            self.counters.dropped += 1
        if fault == "port_lost" or silent_s > LOST_AFTER_S:
            self.counters.lost += 1
            self.trouble = f"{self.description.usb_port}: " + (
                "the device is gone" if fault == "port_lost" else f"no whole answer for {silent_s:.1f} s ({fault})"
            )
            self._follower.hold(self._follower.setpoint.position)
            self._close()
            self._retry_s = now_s + RECONNECT_PERIOD_S

    def _reconnect(self, now_s: float) -> None:
        if now_s < self._retry_s:
            return
        self._retry_s = now_s + RECONNECT_PERIOD_S
        try:
            self.connect(now_s)
        except BusError as error:
            self.trouble = str(error)

    def _close(self) -> None:
        if self._group is not None and self._bus is not None:
            self._clamped_before += self._group.clamped_goals
            self._bus.close()
        self._bus = self._group = None
