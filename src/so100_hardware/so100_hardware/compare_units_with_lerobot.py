"""Whether LeRobot's own bus class converts as `units` does: every tick of some ranges, every unit, both ways.

    python -m so100_hardware.compare_units_with_lerobot --peer /path/to/python

Ends with 1 where a value differs, or a way back ends more than one tick off.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from so100_hardware import units
from so100_hardware.peer_process import PeerError, run_peer

PEER_SCRIPT = Path(__file__).with_name("lerobot_units_peer.py")
RANGES = ((743, 3351), (0, 4095), (1330, 2764), (1000, 1001), (7, 4002))
TOLERANCE = 1e-9  # degrees or percent

Convert = Callable[[float, tuple[int, int], bool], float]
UNITS: dict[str, tuple[Convert, Convert]] = {
    "DEGREES": (
        lambda ticks, ends, _: units.degrees_from_ticks(ticks, ends),
        lambda value, ends, _: units.ticks_from_degrees(value, ends),
    ),
    "RANGE_M100_100": (units.range_m100_100_from_ticks, units.ticks_from_range_m100_100),
    "RANGE_0_100": (units.range_0_100_from_ticks, units.ticks_from_range_0_100),
}


def compare(peer: Path) -> tuple[int, list[str]]:
    """How many conversions were compared, and the differences. Raises PeerError."""
    found = run_peer(peer, "none", PEER_SCRIPT, json.dumps(RANGES))
    compared, wrong = 0, []
    for row in found["rows"]:
        low, high = row["range"]
        forth, back = UNITS[row["unit"]]
        inverted = bool(row["drive_mode"])
        for ticks, value, returned in zip(range(low, high + 1), row["values"], row["ticks"], strict=True):
            ours = forth(ticks, (low, high), inverted)
            compared += 2
            if abs(ours - value) > TOLERANCE:
                wrong.append(f"{row['unit']} of {ticks} in {low}..{high}: LeRobot {value}, ours {ours}")
            our_ticks = units.nearest_tick(back(value, (low, high), inverted))
            if our_ticks != ticks or abs(our_ticks - returned) > 1:
                wrong.append(f"{row['unit']} {value} in {low}..{high}: LeRobot {returned}, ours {our_ticks}")
    return compared, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="so100_hardware.compare_units_with_lerobot", description=__doc__)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with lerobot 0.6.1")
    options = parser.parse_args(arguments)
    try:
        compared, wrong = compare(options.peer)
    except PeerError as error:
        print(f"compare_units_with_lerobot: {error}", file=sys.stderr)
        return 2
    for line in wrong[:20]:
        print(line)
    print(f"{compared} conversions, {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
