"""LeRobot's own FeetechMotorsBus converting every tick of the given ranges. Prints one JSON object; opens no port.

Run by the python of an environment with lerobot 0.6.1 and its feetech extra; imports nothing of this package.

    python lerobot_units_peer.py none "[[743, 3351]]"
"""

from __future__ import annotations

import json
import sys

from lerobot.motors import Motor, MotorCalibration, MotorNormMode  # type: ignore[import-not-found]
from lerobot.motors.feetech import FeetechMotorsBus  # type: ignore[import-not-found]


def main(ranges: list[list[int]]) -> None:
    rows = []
    for unit in ("DEGREES", "RANGE_M100_100", "RANGE_0_100"):
        for low, high in ranges:
            for drive_mode in (0, 1):
                calibration = {"joint": MotorCalibration(1, drive_mode, 0, low, high)}
                bus = FeetechMotorsBus("none", {"joint": Motor(1, "sts3215", MotorNormMode[unit])}, calibration)
                values = [bus._normalize({1: ticks})[1] for ticks in range(low, high + 1)]
                ticks = [bus._unnormalize({1: value})[1] for value in values]
                row = {"unit": unit, "range": [low, high], "drive_mode": drive_mode, "values": values, "ticks": ticks}
                rows.append(row)
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main(json.loads(sys.argv[2]))
