"""How fast a control cycle is: six servos read, six goals written, on the virtual bus, beside LeRobot's SO100Follower.

    python -m so100_hardware.bench [--peer /path/to/python]

Each client is a process of its own, the bus another one, so that a client's processor time is its own. wire_ratio is
measured on a second bus, whose bytes take the time that they take at 1 Mbaud.
"""

from __future__ import annotations

import argparse
import contextlib
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
CYCLES = 3000
WARM_UP_CYCLES = 300  # imports, caches
WIRE_CYCLES = 400
ATTEMPTS = 5
SYNC_READ = b"\x82"
SECONDS_PER_BYTE = 10 / 1_000_000  # start bit, eight bits, stop bit


def client(port: str, rounds: int, cycles: int) -> dict[str, list[float]]:
    """Seconds a cycle, wall and processor, for each round."""
    with Bus(port) as bus:
        group = ServoGroup(bus, [ServoJoint(f"joint_{i}", i, 1, 2047, (0, 4095), (-3.2, 3.2)) for i in SERVO_IDS])
        group.check_servos()
        group.activate()
        for _ in range(WARM_UP_CYCLES):
            group.write(group.read().position_rad)
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
    """What a client measured. It is started again where a busy host kept its first words waiting. Raises PeerError."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(PeerError):
            return _run_once(peer, port, rounds, cycles)
    return _run_once(peer, port, rounds, cycles)


def _run_once(peer: Path | None, port: str, rounds: int, cycles: int) -> dict[str, list[float]]:
    if peer is not None:
        return run_peer(peer, port, PEER_SCRIPT, str(rounds), str(cycles))
    command = [sys.executable, "-m", "so100_hardware.bench", "--client", port, str(rounds), str(cycles)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PeerError(f"this package's client ended with code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


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


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """One row a client; LeRobot's only where a peer is given. The clients take turns, so that a busy moment of the
    machine falls on both. Raises PeerError.
    """
    clients = {"ours": None, **({"lerobot": peer} if peer else {})}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, python in clients.items():
            found[name].append(_round(python))
    return [_row(name, rounds) for name, rounds in found.items()]


def _round(peer: Path | None) -> dict[str, Any]:
    with VirtualBus(SERVO_IDS) as virtual:
        _without_return_delay(virtual)
        times = _run_client(peer, virtual.port, 1, CYCLES)
        bytes_carried = virtual.bytes_carried
    with VirtualBus(SERVO_IDS, wire_timing=True) as wire:
        _without_return_delay(wire)
        wire.capture()
        _run_client(peer, wire.port, 1, WIRE_CYCLES)
        ratio = wire_ratio(wire.take_captured())
    # The start's few hundred bytes are spread over thousands of cycles.
    cycles = CYCLES + WARM_UP_CYCLES
    return {"wall_s": times["wall_s"][0], "cpu_s": times["cpu_s"][0], "bytes": bytes_carried / cycles, "wire": ratio}


def _row(name: str, rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def median(key: str) -> float:
        return statistics.median(each[key] for each in rounds)

    return {
        "client": name,
        "cycle_hz": 1.0 / median("wall_s"),
        "max_cycle_hz": 1.0 / min(each["wall_s"] for each in rounds),
        "cpu_us_per_cycle": 1e6 * median("cpu_s"),
        "min_cpu_us_per_cycle": 1e6 * min(each["cpu_s"] for each in rounds),
        "bytes_per_cycle": round(median("bytes")),
        "wire_ratio": median("wire"),
        "min_wire_ratio": min(each["wire"] for each in rounds),
    }


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
