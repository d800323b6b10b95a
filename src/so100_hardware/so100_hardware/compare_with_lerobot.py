"""Whether LeRobot finds on the virtual bus what it finds on an arm, and whether this package sees the same.

    python -m so100_hardware.compare_with_lerobot --peer /path/to/python

On a virtual bus, LeRobot's FeetechMotorsBus pings, reads every register of its table from all six servos, writes a
calibration and goals; all that is read through so100_hardware.Bus too. On another, its SO100Follower connects,
calibrates, observes and moves; what it wrote to the servos and to its file is compared with where the shafts were.
Prints a table; ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from so100_hardware import REGISTERS, Bus, Register, VirtualBus, lerobot_follower
from so100_hardware.peer_process import PeerError, run_peer

PEER_SCRIPT = Path(__file__).with_name("lerobot_peer.py")
SERVO_IDS = (1, 2, 3, 4, 5, 6)


def stir(virtual: VirtualBus) -> None:
    """Values that tell registers, signs and servos apart: no two servos alike, negatives where a sign can be."""
    ids = range(len(SERVO_IDS))
    virtual.exchange(
        [700.0 + 400 * i for i in ids], [(-1) ** i * (150.0 + i) for i in ids], [-120.0 + 50 * i for i in ids], 0.0
    )
    for servo_id in SERVO_IDS:
        virtual.set(servo_id, "goal_velocity", -300 - servo_id)
        virtual.set(servo_id, "goal_position", 2000 + servo_id)
        virtual.set(servo_id, "present_temperature", 30 + servo_id)
        virtual.set(servo_id, "homing_offset", -10 * servo_id)
        virtual.set(servo_id, "p_coefficient", 16 + servo_id)


def register_at(address: int) -> Register:
    """The sheet's line at an address. Raises KeyError."""
    return {r.address: r for r in REGISTERS.values()}[address]


def differences(found: dict[str, Any], before: dict[str, dict[str, int]], bus: Bus) -> list[str]:
    """Where the peer's view differs from ours; `before` is what we read: register -> servo id -> value."""
    wrong = []
    if set(found["pinged"]) != {str(i) for i in SERVO_IDS}:
        wrong.append(f"broadcast ping found {found['pinged']}")
    for row in found["registers"]:
        ours = register_at(row["address"])
        if row["size"] != ours.size:
            wrong.append(f"{row['name']}: LeRobot's has {row['size']} bytes, ours {ours.size}")
        if row["sign_bit"] is not None and row["sign_bit"] != ours.sign_bit:
            wrong.append(f"{row['name']}: LeRobot's sign is bit {row['sign_bit']}, ours {ours.sign_bit}")
        for servo_id, theirs in row["values"].items():
            value = before[ours.name][servo_id]
            # Where the peer does not decode a sign, both are compared as they are on the wire.
            if row["sign_bit"] is None:
                value = ours.encode(value)
            if value != theirs:
                wrong.append(f"{row['name']} of servo {servo_id}: LeRobot {theirs}, ours {value}")
    if found["sync_positions"] != before["present_position"]:
        wrong.append(f"sync read: LeRobot {found['sync_positions']}, ours {before['present_position']}")
    written = {
        "goal_position": found["goals"],
        "torque_enable": dict.fromkeys(found["goals"], 1),
        "lock": dict.fromkeys(found["goals"], 1),
        "return_delay_time": dict.fromkeys(found["goals"], 0),
        "homing_offset": {i: c["homing_offset"] for i, c in found["calibration"].items()},
        "min_position_limit": {i: c["range_min"] for i, c in found["calibration"].items()},
        "max_position_limit": {i: c["range_max"] for i, c in found["calibration"].items()},
    }
    for name, values in written.items():
        for servo_id, theirs in values.items():
            value = bus.read(int(servo_id), name)
            if value != theirs:
                wrong.append(f"{name} of servo {servo_id}: LeRobot wrote {theirs}, found {value}")
    return wrong


def compare(peer: Path) -> tuple[int, list[str]]:
    """How many values were compared, and the differences. Raises PeerError."""
    with VirtualBus(SERVO_IDS) as virtual:
        stir(virtual)
        with Bus(virtual.port) as bus:
            before = {
                name: {str(servo_id): value for servo_id, value in bus.sync_read(SERVO_IDS, name).items()}
                for name in REGISTERS
            }
            for name, values in before.items():
                assert values == {str(servo_id): bus.read(servo_id, name) for servo_id in SERVO_IDS}
        found = run_peer(peer, virtual.port, PEER_SCRIPT)
        with Bus(virtual.port) as bus:
            wrong = differences(found, before, bus)
    return len(found["registers"]) * len(SERVO_IDS), wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="so100_hardware.compare_with_lerobot", description=__doc__)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with lerobot 0.6.1")
    options = parser.parse_args(arguments)
    try:
        table = {"register values of FeetechMotorsBus": compare(options.peer)}
        table.update(lerobot_follower.compare(options.peer))
    except PeerError as error:
        print(f"compare_with_lerobot: {error}", file=sys.stderr)
        return 2
    for what, (count, lines) in table.items():
        print(f"{what:<44} {count:5d} compared {len(lines):4d} differences")
    for line in (line for _, lines in table.values() for line in lines):
        print(line)
    return 1 if any(lines for _, lines in table.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
