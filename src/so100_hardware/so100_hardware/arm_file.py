"""What the servo commands need of an embodiment file: its joints and its bus. smolvla_ros checks the rest of it.

arm = load_arm_file(Path("my_arm.yaml"))
arm.joints[0].radians(2047)
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from so100_hardware._bus import ArmConfig
from so100_hardware.units import TICKS_PER_TURN, radians_from_ticks, ticks_from_radians

# Which servo turns which joint, from the base to the gripper, on every SO-100 and SO-101.
SO100_SERVOS = {
    "shoulder_pan": 1,
    "shoulder_lift": 2,
    "elbow_flex": 3,
    "wrist_flex": 4,
    "wrist_roll": 5,
    "gripper": 6,
}
DEFAULT_BAUD_RATE = 1_000_000


class ArmFileError(ValueError):
    """An embodiment file that the servo commands cannot use: names the field, the expected and the found."""


@dataclass(frozen=True)
class ArmJoint:
    """One joint. ticks = zero_ticks + sign * rad * 4096 / (2 pi)."""

    name: str
    servo_id: int
    sign: int
    zero_ticks: int
    range_ticks: tuple[int, int]
    limits_rad: tuple[float, float]
    max_velocity_rad_s: float
    max_acceleration_rad_s2: float
    lerobot_unit: str
    homing_offset: int | None  # what the servo's register must hold for these ticks; None: not told

    def radians(self, ticks: float) -> float:
        return radians_from_ticks(ticks, self.zero_ticks, self.sign)

    def ticks(self, rad: float) -> float:
        return ticks_from_radians(rad, self.zero_ticks, self.sign)

    def block(self) -> tuple[str, dict[str, str], str, str]:
        """The joint as a robot description's <ros2_control> block has it."""
        parameters: dict[str, object] = {
            "id": self.servo_id,
            "sign": self.sign,
            "zero_ticks": self.zero_ticks,
            "range_min": self.range_ticks[0],
            "range_max": self.range_ticks[1],
            "max_velocity": self.max_velocity_rad_s,
            "max_acceleration": self.max_acceleration_rad_s2,
        }
        if self.homing_offset is not None:
            parameters["homing_offset"] = self.homing_offset
        lower, upper = self.limits_rad
        return self.name, {name: str(value) for name, value in parameters.items()}, str(lower), str(upper)


@dataclass(frozen=True)
class ArmFile:
    """An arm's joints in the order of its file. robot_type: "" where the file has none."""

    path: Path
    robot_type: str
    joints: tuple[ArmJoint, ...]
    usb_port: str
    baud_rate: int
    prefix: str = ""  # before the joints' names in messages and in the URDF

    @property
    def servo_ids(self) -> dict[str, int]:
        return {joint.name: joint.servo_id for joint in self.joints}

    def config(self, port: str, baud_rate: int, torque_off_on_deactivate: bool) -> ArmConfig:
        """For an Arm. Raises BusError where values contradict each other."""
        hardware = {
            "usb_port": port,
            "baud_rate": str(baud_rate),
            "torque_off_on_deactivate": "true" if torque_off_on_deactivate else "false",
        }
        return ArmConfig(hardware, [joint.block() for joint in self.joints])


def default_arm_file() -> Path:
    """The SO-100's own, as smolvla_ros installs it. Raises ArmFileError where it is not installed."""
    candidates = [Path(prefix) / "share/smolvla_ros" for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":")]
    package = find_spec("smolvla_ros")
    if package and package.origin:
        candidates.append(Path(package.origin).parent)
    for folder in candidates:
        file = folder / "config" / "so100.yaml"
        if file.is_file():
            return file
    raise ArmFileError("no config/so100.yaml found: build the workspace, or name an embodiment file with --arm")


def load_arm_file(path: Path) -> ArmFile:
    """Raises ArmFileError."""
    try:
        raw = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ArmFileError(f"{path}: {error.strerror or error}; expected an embodiment file like so100.yaml") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ArmFileError(f"{path}: is not YAML: {error}") from None
    if not isinstance(raw, Mapping) or not isinstance(raw.get("joints"), list) or not raw["joints"]:
        raise ArmFileError(f"{path}: joints: expected a list of joints, as so100.yaml has")
    bus = raw.get("bus")
    bus = bus if isinstance(bus, Mapping) else {}
    joints = tuple(_joint(path, entry) for entry in raw["joints"])
    return ArmFile(
        path,
        str(raw.get("robot_type", "")),
        joints,
        str(bus.get("usb_port", "")),
        int(bus.get("baud_rate", DEFAULT_BAUD_RATE)),
        str(raw.get("prefix", "")),
    )


def _joint(path: Path, entry: Any) -> ArmJoint:
    if not isinstance(entry, Mapping):
        raise ArmFileError(f"{path}: joints: expected mappings, found {entry!r}")
    name = str(entry.get("name", "?"))

    def number(field: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ArmFileError(f"{path}: joints[{name}].{field}: expected a number, found {value!r}")
        return float(value)

    def pair(field: str) -> tuple[float, float]:
        value = entry.get(field)
        if not isinstance(value, list) or len(value) != 2:
            raise ArmFileError(f"{path}: joints[{name}].{field}: expected a list of two numbers, found {value!r}")
        low, high = (number(field, part) for part in value)
        if low >= high:
            raise ArmFileError(f"{path}: joints[{name}].{field}: expected the lower first, found {value!r}")
        return low, high

    low_ticks, high_ticks = pair("range_ticks")
    if not 0 <= low_ticks < high_ticks < TICKS_PER_TURN:
        raise ArmFileError(f"{path}: joints[{name}].range_ticks: expected 0 to {TICKS_PER_TURN - 1}, "
                           f"found {entry['range_ticks']!r}")  # fmt: skip
    sign = number("sign", entry.get("sign"))
    if sign not in (1, -1):
        raise ArmFileError(f"{path}: joints[{name}].sign: expected 1 or -1, found {entry.get('sign')!r}")
    offset = entry.get("homing_offset")
    return ArmJoint(
        name=name,
        servo_id=int(number("servo_id", entry.get("servo_id"))),
        sign=int(sign),
        zero_ticks=int(number("zero_ticks", entry.get("zero_ticks"))),
        range_ticks=(int(low_ticks), int(high_ticks)),
        limits_rad=pair("limits_rad"),
        max_velocity_rad_s=number("max_velocity_rad_s", entry.get("max_velocity_rad_s")),
        max_acceleration_rad_s2=number("max_acceleration_rad_s2", entry.get("max_acceleration_rad_s2")),
        lerobot_unit=str(entry.get("lerobot_unit", "degrees")),
        homing_offset=None if offset is None else int(number("homing_offset", offset)),
    )
