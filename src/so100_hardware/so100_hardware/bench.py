"""How fast a control cycle is: six servos read, six goals written, on the virtual bus, beside LeRobot's SO100Follower.

    python -m so100_hardware.bench [--peer /path/to/python]

Each client is a process of its own, the bus another one, so that a client's processor time is its own. wire_ratio is
measured on a second bus, whose bytes take the time that they take at 1 Mbaud.
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

from so100_hardware import Bus, CapturedBytes, ServoGroup, ServoJoint, VirtualBus
from so100_hardware.peer_process import PeerError, run_peer

PEER_SCRIPT = Path(__file__).with_name("lerobot_bench_peer.py")
SERVO_IDS = (1, 2, 3, 4, 5, 6)
ROUNDS = 5
CYCLES = 1000
WIRE_CYCLES = 400
SYNC_READ = b"\x82"
SECONDS_PER_BYTE = 10 / 1_000_000  # start bit, eight bits, stop bit


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


def _run_client(peer: Path | None, port: str, rounds: int, cycles: int) -> dict[str, list[float]]:
    if peer is not None:
        return run_peer(peer, port, PEER_SCRIPT, str(rounds), str(cycles))
    command = [sys.executable, "-m", "so100_hardware.bench", "--client", port, str(rounds), str(cycles)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _without_return_delay(virtual: VirtualBus) -> None:
    for servo_id in SERVO_IDS:
        virtual.set(servo_id, "return_delay_time", 0)


def wire_ratio(captured: Sequence[CapturedBytes]) -> float:
    """How long cycles took over how long their bytes are on the wire, both from the captured bytes.

    A cycle begins with its sync read. The first and the last quarter, where a client connects and leaves, are left out.
    """
    reads = [i for i, piece in enumerate(captured) if piece.to_servos and piece.bytes[4:5] == SYNC_READ]
    first, last = reads[len(reads) // 4], reads[3 * len(reads) // 4]
    count = sum(len(piece.bytes) for piece in captured[first:last])
    return (captured[last].begin_s - captured[first].begin_s) / (count * SECONDS_PER_BYTE)


def _row(name: str, peer: Path | None) -> dict[str, Any]:
    with VirtualBus(SERVO_IDS) as virtual:
        _without_return_delay(virtual)
        found = _run_client(peer, virtual.port, ROUNDS, CYCLES)
        bytes_carried = virtual.bytes_carried
    with VirtualBus(SERVO_IDS, wire_timing=True) as wire:
        _without_return_delay(wire)
        wire.capture()
        _run_client(peer, wire.port, 1, WIRE_CYCLES)
        ratio = wire_ratio(wire.take_captured())
    return {
        "client": name,
        "cycle_hz": 1.0 / statistics.median(found["wall_s"]),
        "max_cycle_hz": 1.0 / min(found["wall_s"]),
        "cpu_us_per_cycle": 1e6 * statistics.median(found["cpu_s"]),
        "min_cpu_us_per_cycle": 1e6 * min(found["cpu_s"]),
        # The start's few hundred bytes are spread over thousands of cycles.
        "bytes_per_cycle": round(bytes_carried / (ROUNDS * CYCLES)),
        "wire_ratio": ratio,
    }


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """One row a client; LeRobot's only where a peer is given. Raises PeerError."""
    return [_row("ours", None), *([_row("lerobot", peer)] if peer else [])]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="so100_hardware.bench", description=__doc__)
    parser.add_argument("--peer", type=Path, help="python of an environment with lerobot 0.6.1")
    parser.add_argument("--client", nargs=3, metavar=("PORT", "ROUNDS", "CYCLES"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.client:
        port, rounds, cycles = options.client
        print(json.dumps(client(port, int(rounds), int(cycles))))
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
