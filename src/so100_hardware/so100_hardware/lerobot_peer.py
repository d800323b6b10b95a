"""LeRobot's own FeetechMotorsBus on a port: what it reads, then what it writes. Prints one JSON object.

Run by the python of an environment with lerobot 0.6.1 and its feetech extra; imports nothing of this package.

    python lerobot_peer.py PORT
"""

from __future__ import annotations

import json
import sys

from lerobot.motors import Motor, MotorCalibration, MotorNormMode  # type: ignore[import-not-found]
from lerobot.motors.feetech import FeetechMotorsBus  # type: ignore[import-not-found]

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")


def main(port: str) -> None:
    bus = FeetechMotorsBus(
        port, {name: Motor(i + 1, "sts3215", MotorNormMode.RANGE_M100_100) for i, name in enumerate(JOINTS)}
    )
    bus.connect()  # finds every motor, checks model and firmware
    table = bus.model_ctrl_table["sts3215"]
    signed = bus.model_encoding_table["sts3215"]
    found = {
        "pinged": bus.broadcast_ping(),
        "registers": [
            {
                "name": name,
                "address": address,
                "size": size,
                "sign_bit": signed.get(name),
                "values": {str(bus.motors[joint].id): bus.read(name, joint, normalize=False) for joint in JOINTS},
            }
            for name, (address, size) in table.items()
        ],
        "sync_positions": {
            str(bus.motors[joint].id): value
            for joint, value in bus.sync_read("Present_Position", normalize=False).items()
        },
    }
    bus.disable_torque()  # lock 0 as well, so that EEPROM takes what follows
    bus.configure_motors()
    found["calibration"] = {
        str(i + 1): {"homing_offset": -100 * (i + 1), "range_min": 100 + i, "range_max": 4000 - i}
        for i in range(len(JOINTS))
    }
    bus.write_calibration(
        {name: MotorCalibration(i + 1, 0, **found["calibration"][str(i + 1)]) for i, name in enumerate(JOINTS)}
    )
    found["goals"] = {str(i + 1): 1500 + 100 * i for i in range(len(JOINTS))}
    bus.sync_write("Goal_Position", {name: 1500 + 100 * i for i, name in enumerate(JOINTS)}, normalize=False)
    bus.enable_torque()
    bus.disconnect(disable_torque=False)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
