"""How fast a control cycle is: six servos read, six goals written, on the virtual bus, beside LeRobot's SO100Follower.

    python -m so100_hardware.bench [--peer /path/to/python]

Each client is a process of its own, the bus another one, so that a client's processor time is its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from so100_hardware import Bus, ServoGroup, ServoJoint, VirtualBus
from so100_hardware.compare_with_lerobot import PeerError, run_peer

PEER_SCRIPT = Path(__file__).with_name("lerobot_bench_peer.py")
SERVO_IDS = (1, 2, 3, 4, 5, 6)
ROUNDS = 5
CYCLES = 1000


def client(port: str, rounds: int, cycles: int) -> dict[str, list[float]]:
    """Seconds a cycle, wall and processor, for each round."""
    with Bus(port) as bus:
        group = ServoGroup(bus, [ServoJoint(f"joint_{i}", i, 1, 2047, (0, 4095), (-3.2, 3.2)) for i in SERVO_IDS])
        group.check_servos()
        group.activate()
        wall_s, cpu_s = [], []
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(cycles):
                group.write(group.read().position_rad)
            wall_s.append((time.perf_counter() - wall) / cycles)
            cpu_s.append((time.process_time() - cpu) / cycles)
        group.torque_off()
    return {"wall_s": wall_s, "cpu_s": cpu_s}


def _row(name: str, peer: Path | None) -> dict[str, Any]:
    with VirtualBus(SERVO_IDS) as virtual:
        for servo_id in SERVO_IDS:
            virtual.set(servo_id, "return_delay_time", 0)
        if peer is None:
            command = [sys.executable, "-m", "so100_hardware.bench", "--client", virtual.port]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        else:
            found = run_peer(peer, virtual.port, PEER_SCRIPT, str(ROUNDS), str(CYCLES))
        bytes_carried = virtual.bytes_carried
    return {
        "client": name,
        "cycle_hz": 1.0 / statistics.median(found["wall_s"]),
        "max_cycle_hz": 1.0 / min(found["wall_s"]),
        "cpu_us_per_cycle": 1e6 * statistics.median(found["cpu_s"]),
        "min_cpu_us_per_cycle": 1e6 * min(found["cpu_s"]),
        # The start's few hundred bytes are spread over thousands of cycles.
        "bytes_per_cycle": round(bytes_carried / (ROUNDS * CYCLES)),
        "wire_ratio": None,  # needs a bus that keeps a wire's time
    }


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """One row a client; LeRobot's only where a peer is given. Raises PeerError."""
    return [_row("ours", None), *([_row("lerobot", peer)] if peer else [])]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="so100_hardware.bench", description=__doc__)
    parser.add_argument("--peer", type=Path, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--client", metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.client:
        print(json.dumps(client(options.client, ROUNDS, CYCLES)))
        return 0
    try:
        for row in rows(options.peer):
            words = (
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
            print("  ".join(words))
    except PeerError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
