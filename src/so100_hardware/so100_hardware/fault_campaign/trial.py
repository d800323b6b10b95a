"""One kind of fault dealt out to a moving arm for so many cycles."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from so100_hardware import Arm, ArmConfig, BusError, GroupState, VirtualBus
from so100_hardware.fault_campaign.judge import Findings, Judge
from so100_hardware.fault_campaign.kinds import FaultKindTrial

SERVO_IDS = (1, 2, 3, 4, 5, 6)
MAX_VELOCITY_RAD_S = 4.0
MAX_STEP_RAD = 0.2
LIMIT_RAD = 1.5
SWING_RAD = 1.8  # beyond the limits, so that the clamps have something to do
PERIOD_S = 0.01
RETRY_S = 0.5  # of the arm's clock, between attempts to reconnect
START_TICKS = 2047.0
FIRST_FAULT_CYCLE = 200
CALM_CYCLES = 300  # without new faults at the end, so that the last ones can be recovered from
REBOOT_S = 0.6  # a servo that was rebooted is back by then, in real time
LIMP_PATIENCE_CYCLES = 20  # an operator needs a moment to call reconnect


@dataclass
class Clock:
    """The arm's time: a period a cycle, or what the cycle took if that was longer."""

    now_s: float = 1000.0

    def advance(self, took_s: float) -> float:
        step_s = max(PERIOD_S, took_s)
        self.now_s += step_s
        return step_s


def arm_config(port: str) -> ArmConfig:
    """Six joints of one range on a port, with a reply timeout that suits a bus without a wire."""
    hardware = {"usb_port": port, "baud_rate": "1000000", "reply_timeout": "0.004", "max_step": str(MAX_STEP_RAD)}
    joints = [
        (
            f"joint_{i}",
            {
                "id": str(i),
                "sign": "-1" if i % 2 else "1",
                "zero_ticks": str(round(START_TICKS)),
                "range_min": "500",
                "range_max": "3600",
                "max_velocity": str(MAX_VELOCITY_RAD_S),
            },
            str(-LIMIT_RAD),
            str(LIMIT_RAD),
        )
        for i in SERVO_IDS
    ]
    return ArmConfig(hardware, joints)


class Trial:
    """State: the virtual arm's shafts, the driver, the clock, the judge."""

    def __init__(self, kind: FaultKindTrial, link: str, seed: int) -> None:
        self._kind = kind
        self._seed = seed
        self._random = np.random.default_rng(seed)
        self._virtual = VirtualBus(SERVO_IDS, link, [START_TICKS] * len(SERVO_IDS))
        for servo_id in SERVO_IDS:
            self._virtual.set(servo_id, "return_delay_time", 0)
        self._ticks = np.full(len(SERVO_IDS), START_TICKS)
        self._arm = Arm(arm_config(link))
        self._clock = Clock()
        self._judge = Judge(self._arm.config.joints, MAX_VELOCITY_RAD_S, MAX_STEP_RAD)
        self._steps_s: deque[float] = deque(maxlen=4)
        self._retry_s = 0.0
        self._limp_cycles = 0

    def run(self, cycles: int) -> Findings:
        """`cycles` cycles with faults, then some without. The bus is closed afterwards."""
        with self._virtual:
            self._virtual.record()
            self._connect()
            if not self._kind.every:
                self._inject(0)
            for cycle in range(cycles):
                if self._kind.every and cycle % self._kind.every == FIRST_FAULT_CYCLE:
                    self._inject(cycle)
                self._cycle(cycle)
            self._virtual.inject_fault("clear")
            calm_until_s = time.monotonic() + (REBOOT_S if self._kind.every else 0.0)
            for cycle in range(cycles, cycles + CALM_CYCLES):
                self._cycle(cycle)
            while time.monotonic() < calm_until_s or self._retry_s > self._clock.now_s:
                self._cycle(cycles)
            self._judge.end()
            self._arm.close()
        return self._judge.findings

    def _inject(self, cycle: int) -> None:
        servo, other = (int(i) for i in self._random.choice(SERVO_IDS, 2, replace=False))
        self._virtual.inject_fault(
            self._kind.script.format(servo=servo, other=other, seed=self._seed + cycle, probability=1 / 300)
        )

    def _cycle(self, cycle: int) -> None:
        began_s = time.monotonic()
        goal = SWING_RAD * np.sin(2 * np.pi * cycle * PERIOD_S / 6.0 + np.arange(len(SERVO_IDS)))
        reading: GroupState | None = None
        if self._arm.phase == "active" and not self._arm.lost:
            reading = self._arm.read(self._clock.now_s)
            self._arm.write(goal, self._clock.now_s)
        elif self._clock.now_s >= self._retry_s:
            self._reconnect()
        else:
            time.sleep(0.001)  # the port is gone: nothing to wait for but real time
        if "limp" in self._arm.troubles:
            self._limp_cycles += 1
            if self._limp_cycles > LIMP_PATIENCE_CYCLES:
                self._reconnect()
        else:
            self._limp_cycles = 0
        setpoints = self._virtual.exchange(self._ticks, np.zeros(6), np.zeros(6), PERIOD_S)
        step = np.clip(setpoints.position_ticks - self._ticks, -34.0, 34.0)  # no faster than a servo turns
        self._ticks = self._ticks + np.where(setpoints.torque_enabled, step, 0.0)
        step_s = self._clock.advance(time.monotonic() - began_s)
        self._tell(reading, step_s)

    def _tell(self, reading: GroupState | None, step_s: float) -> None:
        now_s = self._clock.now_s
        self._judge.faults(self._virtual.take_fault_events(), now_s)
        replies = self._virtual.take_replies()
        if reading is not None:
            self._judge.replies(replies, reading, now_s)
        # A write has no reply: its record may come a cycle or two later.
        self._steps_s.append(step_s)
        self._judge.writes(self._virtual.take_writes(), max(self._steps_s), now_s)
        healthy = reading is not None and not reading.fault and not self._arm.held and not self._arm.lost
        told = bool(self._arm.state.error_bits.any())
        self._judge.signs(self._signs(), told, healthy, now_s)

    def _signs(self) -> tuple[int, ...]:
        arm = self._arm.counters
        bus = self._arm.bus_counters
        return (
            *(arm.failed_reads, arm.failed_writes, arm.implausible, arm.lost, self._judge.findings.reconnects),
            *(bus.retries, bus.failures, bus.discarded_bytes, bus.checksum_errors, bus.foreign_packets),
            *(sum(trouble != "" for trouble in self._arm.troubles), sum(self._arm.blocked)),
        )

    def _connect(self) -> None:
        self._arm.open(self._clock.now_s)
        self._arm.activate(self._clock.now_s)

    def _reconnect(self) -> None:
        self._judge.findings.reconnects += 1
        try:
            self._connect()
            self._limp_cycles = 0
        except BusError:
            self._arm.close()
            self._retry_s = self._clock.now_s + RETRY_S
