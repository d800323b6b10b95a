"""LeRobot's SO100Follower on the virtual bus: it connects, is calibrated, observes and moves, as on an arm.

We play the person: each of its prompts is answered after the shafts were moved by hand. What it wrote to the servos and
to its calibration file is compared with the places where the hand held the shafts, what it sees and sends with our
units.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from so100_hardware import VirtualBus, units
from so100_hardware.calibration import REGISTERS as CALIBRATED
from so100_hardware.calibration import Calibration, load_calibration, save_calibration
from so100_hardware.handled_arm import HandledArm
from so100_hardware.peer_process import PeerError, peer_environment

PEER_SCRIPT = Path(__file__).with_name("lerobot_follower_peer.py")
PATIENCE_S = 60.0
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
SERVO_IDS = dict(zip(JOINTS, range(1, 7), strict=True))
# The encoder's ticks in the middle of each joint, two of them near the end of the turn, and the way to both ends.
MIDDLES = {1: 2048.0, 2: 300.0, 3: 3950.0, 4: 1500.0, 5: 2600.0, 6: 1234.0}
REACHES = {1: (-1200.0, 1300.0), 2: (-1000.0, 1100.0), 3: (-900.0, 1150.0), 4: (-950.0, 970.0), 6: (-20.0, 1400.0)}
HALF_TURN = 2047  # what LeRobot makes the middle read
PROMPT_MIDDLE, PROMPT_RANGES = "press ENTER....", "Press ENTER to stop..."
# As LeRobot leaves an arm that it has connected to.
CONFIGURED = {
    "return_delay_time": 0,
    "maximum_acceleration": 254,
    "acceleration": 254,
    "phase": 12,
    "operating_mode": 0,
    "p_coefficient": 16,
    "i_coefficient": 0,
    "d_coefficient": 32,
    "torque_enable": 1,
    "lock": 1,
}
GRIPPER_CONFIGURED = {"max_torque_limit": 500, "protection_current": 250, "overload_torque": 25}
SEEN_TOLERANCE = 0.2  # degrees or percent; two ticks, for the arm may still creep between two looks
ARRIVED = 1.0  # as near as the peer's script waits for

Table = dict[str, tuple[int, list[str]]]


class Follower:
    """The peer's process: its words, and our answers. Raises PeerError where it ends or says nothing for too long."""

    def __init__(self, peer: Path, script: Path, port: str, folder: Path) -> None:
        try:
            self._process = subprocess.Popen(
                [str(peer), str(script), port, str(folder)],
                env=peer_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise PeerError(f"{peer}: {error}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._answers, self._words = self._process.stdin, self._process.stdout
        self._said = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        if kind is not None:
            self._process.kill()
        self._process.wait()
        self._words.close()

    def wait_for(self, words: str) -> str:
        """What it says up to these words; they and all before them are done with."""
        deadline = time.monotonic() + PATIENCE_S
        while words.encode() not in self._said:
            if not select.select([self._words], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise PeerError(f"LeRobot did not say '{words}' within {PATIENCE_S} s: {self._tail()}")
            piece = os.read(self._words.fileno(), 65536)
            if not piece:
                raise PeerError(f"LeRobot ended before it said '{words}': {self._tail()}")
            self._said += piece
        before, _, self._said = self._said.partition(words.encode())
        return before.decode()

    def told(self) -> dict[str, Any]:
        """The next thing that the script tells."""
        self.wait_for("\n@")
        return json.loads(self.wait_for("\n"))

    def answer(self) -> None:
        self._answers.write(b"\n")
        self._answers.flush()

    def _tail(self) -> str:
        return self._said.decode(errors="replace")[-2000:]


def compare(peer: Path, script: Path = PEER_SCRIPT) -> Table:
    """Rows of the table: what was compared -> how many values, and the differences. Raises PeerError."""
    ids = tuple(SERVO_IDS.values())
    with tempfile.TemporaryDirectory() as folder, VirtualBus(ids) as virtual:
        for servo_id in ids:
            virtual.set(servo_id, "phase", 12 | 0x10)  # LeRobot has to clear that bit
        with HandledArm(virtual, ids) as arm, Follower(peer, script, virtual.port, Path(folder)) as follower:
            try:
                return _session(virtual, arm, follower)
            except TimeoutError as error:
                raise PeerError(str(error)) from None


def _session(virtual: VirtualBus, arm: HandledArm, follower: Follower) -> Table:
    follower.wait_for(PROMPT_MIDDLE)
    arm.place(MIDDLES)
    follower.answer()
    follower.wait_for(PROMPT_RANGES)
    for end in (0, 1, None):
        arm.hold({i: MIDDLES[i] + (0.0 if end is None else reach[end]) for i, reach in REACHES.items()})
    follower.answer()
    file = Path(follower.told()["file"])
    calibration = load_calibration(file)
    table = {
        "servo registers after calibration": _registers(virtual),
        "calibration file and servos": _file(virtual, calibration, file),
    }
    moves: list[tuple[int, list[str]]] = []
    for _ in range(2):
        follower.answer()
        moves.append(_move(virtual, calibration, follower.told()))
    table["goals sent and positions seen"] = (sum(n for n, _ in moves), [line for _, lines in moves for line in lines])
    follower.answer()
    follower.told()
    table["torque after disconnecting"] = _equal(
        (f"torque of servo {i}", 0, virtual.get(i, "torque_enable")) for i in SERVO_IDS.values()
    )
    follower.answer()
    again = follower.told()
    table["connected again, calibrated"] = _equal([("is_calibrated", True, again["calibrated"])])
    follower.answer()
    return table


def _equal(rows: Iterable[tuple[str, Any, Any]]) -> tuple[int, list[str]]:
    compared = list(rows)
    return len(compared), [
        f"{what}: expected {ours}, LeRobot {theirs}" for what, ours, theirs in compared if ours != theirs
    ]


def _expected(joint: str) -> dict[str, int]:
    """What the servo of a joint has to hold after calibration."""
    servo_id = SERVO_IDS[joint]
    low, high = REACHES.get(servo_id, (-HALF_TURN, units.TICKS_PER_TURN - 1 - HALF_TURN))
    found = {
        "homing_offset": round(MIDDLES[servo_id]) - HALF_TURN,
        "min_position_limit": HALF_TURN + round(low),
        "max_position_limit": HALF_TURN + round(high),
        **CONFIGURED,
    }
    return {**found, **GRIPPER_CONFIGURED} if joint == "gripper" else found


def _registers(virtual: VirtualBus) -> tuple[int, list[str]]:
    return _equal(
        (f"{joint}: {name}", value, virtual.get(SERVO_IDS[joint], name))
        for joint in JOINTS
        for name, value in _expected(joint).items()
    )


def _file(virtual: VirtualBus, calibration: Calibration, file: Path) -> tuple[int, list[str]]:
    ours = file.with_suffix(".ours")
    save_calibration(calibration, ours)
    rows: list[tuple[str, Any, Any]] = [
        ("joints", list(JOINTS), list(calibration.joints)),
        ("the file as we write it", json.loads(ours.read_text()), json.loads(file.read_text())),
    ]
    for name, joint in calibration.joints.items():
        rows += [(f"{name}: id", SERVO_IDS[name], joint.servo_id), (f"{name}: drive_mode", 0, joint.drive_mode)]
        for key, register in CALIBRATED.items():
            rows.append((f"{name}: {key}", virtual.get(joint.servo_id, register), getattr(joint, key)))
    return _equal(rows)


def _move(virtual: VirtualBus, calibration: Calibration, told: Mapping[str, Any]) -> tuple[int, list[str]]:
    rows: list[tuple[str, Any, Any]] = []
    far = []
    for name, joint in calibration.joints.items():
        forth, back = (
            (units.range_0_100_from_ticks, units.ticks_from_range_0_100)
            if name == "gripper"
            else (units.degrees_from_ticks, units.ticks_from_degrees)
        )
        sent, seen = told["action"][f"{name}.pos"], told["observation"][f"{name}.pos"]
        goal = int(back(sent, joint.range_ticks))  # LeRobot cuts off
        rows.append((f"{name}: goal", goal, virtual.get(joint.servo_id, "goal_position")))
        where = forth(virtual.get(joint.servo_id, "present_position"), joint.range_ticks)
        if abs(where - seen) > SEEN_TOLERANCE:
            far.append(f"{name}: it stands at {where:.2f}, LeRobot sees {seen:.2f}")
        if abs(sent - seen) > ARRIVED:
            far.append(f"{name}: LeRobot sent {sent:.2f}, it came to {seen:.2f}")
    compared, wrong = _equal(rows)
    return compared + 2 * len(JOINTS), wrong + far
