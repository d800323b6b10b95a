"""LeRobot's SO100Follower on a port: observation and action, over and over. Prints one JSON object.

Run by the python of an environment with lerobot 0.6.1 and its feetech extra; imports nothing of this package.

    python lerobot_bench_peer.py PORT ROUNDS CYCLES
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from lerobot.robots.so_follower import SO100Follower, SO100FollowerConfig  # type: ignore[import-not-found]

WARM_UP_CYCLES = 300


def main(port: str, rounds: int, cycles: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        arm = SO100Follower(SO100FollowerConfig(port=port, id="bench", calibration_dir=Path(folder)))
        arm.connect(calibrate=False)
        arm.bus.calibration = arm.bus.read_calibration()
        for _ in range(WARM_UP_CYCLES):
            arm.send_action(arm.get_observation())
        wall_s, cpu_s = [], []
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(cycles):
                arm.send_action(arm.get_observation())
            wall_s.append((time.perf_counter() - wall) / cycles)
            cpu_s.append((time.process_time() - cpu) / cycles)
        arm.disconnect()
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
