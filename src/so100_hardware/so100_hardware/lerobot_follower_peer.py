"""LeRobot's SO100Follower on a port: calibrated by whoever answers its prompts, then observed and moved.

Run by the python of an environment with lerobot 0.6.1 and its feetech extra; imports nothing of this package.

    python lerobot_follower_peer.py PORT FOLDER

Prompts are LeRobot's own, on standard output, and wait for a line on standard input. So does each line that begins with
@ and holds a JSON object of what was done until then.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from lerobot.robots.so_follower import SO100Follower, SO100FollowerConfig  # type: ignore[import-not-found]

NEAR = 1.0  # degrees, or percent for the gripper
PATIENCE_S = 10.0
ACTIONS = (
    {"shoulder_pan": 20.0, "shoulder_lift": -15.5, "elbow_flex": 31.0, "wrist_flex": -7.25, "wrist_roll": 90.0},
    {"shoulder_pan": -42.0, "shoulder_lift": 12.0, "elbow_flex": -3.0, "wrist_flex": 25.0, "wrist_roll": -60.0},
)
GRIPPER = (30.0, 77.0)


def tell(found: dict[str, Any]) -> None:
    print("\n@" + json.dumps(found), flush=True)
    sys.stdin.readline()


def move(arm: Any, action: dict[str, float]) -> dict[str, Any]:
    """Sends it, waits until the arm is there, and returns what was sent and what was seen last."""
    sent = arm.send_action({f"{joint}.pos": value for joint, value in action.items()})
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = arm.get_observation()
        if all(abs(seen[key] - value) < NEAR for key, value in sent.items()) or time.monotonic() > deadline:
            return {"action": sent, "observation": seen}


def main(port: str, folder: str) -> None:
    config = SO100FollowerConfig(port=port, id="virtual", calibration_dir=Path(folder))
    arm = SO100Follower(config)
    arm.connect()  # there is no calibration: it asks for one
    tell({"step": "calibrated", "file": str(arm.calibration_fpath)})
    for action, gripper in zip(ACTIONS, GRIPPER, strict=True):
        tell({"step": "moved", **move(arm, {**action, "gripper": gripper})})
    arm.disconnect()
    tell({"step": "disconnected"})
    again = SO100Follower(config)
    again.connect(calibrate=False)
    tell({"step": "again", "calibrated": again.is_calibrated})
    again.disconnect()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
