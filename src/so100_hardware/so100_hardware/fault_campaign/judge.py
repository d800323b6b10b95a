"""What the virtual bus knows to be true against what the arm believed and sent.

Nothing here asks the driver how it did: replies, writes and faults are the bus's own records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from so100_hardware import REGISTERS, FaultEvent, GroupState, PacketParser, ReplyRecord, ServoJoint, WriteRecord

FEEDBACK = REGISTERS["present_position"]
GOAL = REGISTERS["goal_position"]
PACKET_HEAD = 5  # bytes of a reply before its data
FEEDBACK_BYTES = 15
TORQUE_ON_TOLERANCE_TICKS = 2
RAD_PER_TICK = 2 * np.pi / 4096
# As include/so100_hardware/plausibility.hpp: what a falsified reading with a right checksum may be off by.
FASTEST_RAD_S = 15.0
PLAY_RAD = 0.1
STALE_S = 0.05  # of real time: a late reply may be as old as that
NOTICE_CYCLES = 3  # stray bytes are found by the request after the next


@dataclass
class Findings:
    """The figures of one kind of fault."""

    injected: int = 0
    detected: int = 0
    recovered: int = 0
    wrong_accepted: int = 0  # false values that checksum or plausibility check had to catch
    within_plausibility: int = 0  # false values behind a right checksum, too near to the last ones to be told
    stale_accepted: int = 0  # true values, but out of a late reply to an earlier request
    unsafe_torque_on: int = 0
    limit_violations: int = 0
    max_recovery_s: float = 0.0
    reconnects: int = 0


@dataclass
class _Open:
    """A fault that has happened and is not over."""

    began_s: float
    cycle: int
    detected: bool = False
    recovered: bool = False


@dataclass
class Judge:
    """Looks at each cycle; `findings` grows. State: the faults that are not over, the last goals and truths."""

    joints: Sequence[ServoJoint]
    max_velocity_rad_s: float
    max_step_rad: float
    findings: Findings = field(default_factory=Findings)
    _open: list[_Open] = field(default_factory=list)
    _lasting: int = 0
    _cycle: int = 0
    _truths: deque[tuple[float, dict[int, set[bytes]]]] = field(default_factory=deque)  # when, servo id -> data
    _goals: dict[int, tuple[int, float]] = field(default_factory=dict)
    _real_s: float = 0.0
    _signs: tuple[int, ...] | None = None
    _believed: dict[int, tuple[int, float]] = field(default_factory=dict)

    def faults(self, events: Sequence[FaultEvent], now_s: float) -> None:
        """What struck, began or ended in this cycle."""
        for event in events:
            if event.what == "ended":
                self._lasting -= 1
                continue
            self._lasting += event.what == "began"
            self.findings.injected += 1
            self._open.append(_Open(now_s, self._cycle))

    def signs(self, signs: tuple[int, ...], told: bool, healthy: bool, now_s: float) -> None:
        """Ends a cycle: the driver's counters and troubles.

        `told`: it reports a servo's error bits; `healthy`: it had a whole reading and does not hold.
        """
        noticed = told or (self._signs is not None and signs != self._signs)
        self._signs = signs
        still_open = []
        for fault in self._open:
            fault.detected = fault.detected or noticed
            if healthy and self._lasting == 0 and not fault.recovered:
                fault.recovered = True
                self.findings.max_recovery_s = max(self.findings.max_recovery_s, now_s - fault.began_s)
            if fault.recovered and (fault.detected or self._cycle - fault.cycle >= NOTICE_CYCLES):
                self._close(fault)
            else:
                still_open.append(fault)
        self._open = still_open
        self._cycle += 1

    def end(self) -> None:
        """The trial is over: what is still open did not recover."""
        for fault in self._open:
            self._close(fault)
        self._open = []

    def _close(self, fault: _Open) -> None:
        self.findings.detected += fault.detected
        self.findings.recovered += fault.recovered

    def replies(self, records: Sequence[ReplyRecord], reading: GroupState, now_s: float) -> None:
        """Whether each row that the arm believed in this cycle was said by its servo."""
        truths: dict[int, set[bytes]] = {}
        garbled: dict[int, set[bytes]] = {}
        for record in records:
            if record.faults:
                for servo_id, data in _whole_packets(record.sent):
                    garbled.setdefault(servo_id, set()).add(data)
            if record.address == FEEDBACK.address and len(record.truth) == PACKET_HEAD + FEEDBACK_BYTES + 1:
                data = record.truth[PACKET_HEAD:-1]
                truths.setdefault(record.servo_id, set()).add(data)
        if records:
            self._real_s = records[-1].request_s
        self._truths.append((self._real_s, truths))
        while self._real_s - self._truths[0][0] > STALE_S:
            self._truths.popleft()
        for row, joint in enumerate(self.joints):
            if not reading.fresh[row]:
                continue
            believed = _row(reading, row, joint)
            self._judge(joint, believed, garbled.get(joint.servo_id, set()), now_s)
            self._believed[row] = (believed[0], now_s)

    def _judge(self, joint: ServoJoint, believed: tuple[int, ...], garbled: set[bytes], now_s: float) -> None:
        said = (truths.get(joint.servo_id, set()) for _, truths in reversed(self._truths))
        if believed in map(_decode, next(said)):
            return
        if any(believed in map(_decode, earlier) for earlier in said):
            self.findings.stale_accepted += 1
            return
        row = self.joints.index(joint)
        last_ticks, last_s = self._believed.get(row, (believed[0], now_s))
        reachable = (PLAY_RAD + FASTEST_RAD_S * (now_s - last_s)) / RAD_PER_TICK + 1
        passed_the_checksum = believed in {_decode(data) for data in garbled}
        if passed_the_checksum and abs(believed[0] - last_ticks) <= reachable:
            self.findings.within_plausibility += 1
        else:
            self.findings.wrong_accepted += 1

    def writes(self, records: Sequence[WriteRecord], dt_s: float, now_s: float) -> None:
        """Torque that came on away from the goal; goals outside the limits, or too far from the one before."""
        step_ticks = min(self.max_velocity_rad_s * dt_s, self.max_step_rad) / RAD_PER_TICK + 1
        by_id = {joint.servo_id: joint for joint in self.joints}
        for record in records:
            if record.tampered:
                continue
            if record.torque_after and not record.torque_before:
                away = abs(record.goal_ticks - record.present_ticks)
                self.findings.unsafe_torque_on += away > TORQUE_ON_TOLERANCE_TICKS
            joint = by_id.get(record.servo_id)
            if joint is None:
                continue
            if record.address == GOAL.address and len(record.data) == GOAL.size:
                ticks = GOAL.decode(int.from_bytes(record.data, "little"))
                last, last_s = self._goals.get(record.servo_id, (ticks, now_s))
                # A goal that a fault kept from the servo leaves a gap of more than one cycle, and around a fault a
                # record may come a cycle late.
                gap = max(1.0, (now_s - last_s) / dt_s) + (1.0 if self._open else 0.0)
                outside = not _lowest(joint) <= ticks <= _highest(joint)
                self.findings.limit_violations += outside or abs(ticks - last) > step_ticks * gap + 1
                self._goals[record.servo_id] = (ticks, now_s)
            else:  # the seed before torque: where the arm stands is where goals go on from
                self._goals[record.servo_id] = (record.goal_ticks, now_s)


def _lowest(joint: ServoJoint) -> float:
    return max(joint.range_ticks[0], min(joint.ticks(rad) for rad in joint.limits_rad) - 1)


def _highest(joint: ServoJoint) -> float:
    return min(joint.range_ticks[1], max(joint.ticks(rad) for rad in joint.limits_rad) + 1)


def _whole_packets(sent: bytes) -> list[tuple[int, bytes]]:
    """Id and data of what is a reading with a right checksum among the bytes that a fault left."""
    parser = PacketParser()
    parser.push(sent)
    found = []
    while packet := parser.next():
        servo_id, _error_bits, data = packet
        if len(data) == FEEDBACK_BYTES:
            found.append((servo_id, data))
    return found


def _decode(data: bytes) -> tuple[int, ...]:
    """Position, velocity, load, voltage and temperature, in counts."""
    word = [int.from_bytes(data[i : i + 2], "little") for i in (0, 2, 4)]
    return (
        FEEDBACK.decode(word[0]),
        REGISTERS["present_velocity"].decode(word[1]),
        REGISTERS["present_load"].decode(word[2]),
        data[6],
        data[7],
    )


def _row(reading: GroupState, row: int, joint: ServoJoint) -> tuple[int, ...]:
    def counts(values: NDArray[np.float64], register: str, sign: int = 1) -> int:
        return round(sign * float(values[row]) / REGISTERS[register].per_count)

    return (
        round(joint.ticks(float(reading.position_rad[row]))),
        counts(reading.velocity_rad_s, "present_velocity", joint.sign),
        counts(reading.effort, "present_load", joint.sign),
        counts(reading.voltage_v, "present_voltage"),
        counts(reading.temperature_c, "present_temperature"),
    )
