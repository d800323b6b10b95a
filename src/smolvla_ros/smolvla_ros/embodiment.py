"""The embodiment file: what a robot is, read and checked once.

    robot = load_embodiment()                       # config/so100.yaml
    robot.joint_names, robot.lower_rad              # ("shoulder_pan", ...), (6,) float64

Angles are in radians about the official URDF's zero, servo positions in ticks (4096 a turn).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml

TICKS_PER_TURN = 4096
LEROBOT_UNITS = ("degrees", "range_m100_100", "range_0_100")
DEFAULT_FILE = Path(__file__).parent / "config" / "so100.yaml"


_T = TypeVar("_T")


class EmbodimentError(ValueError):
    """The embodiment file is missing or wrong. The message names the field, what was expected and what was found."""


@dataclass(frozen=True)
class Joint:
    """One servo. `ticks = zero_ticks + sign * rad * 4096 / (2 pi)`; range_ticks are LeRobot's range_min, range_max.

    None, for what an arm's own file may add: the servo is left as it is, or not checked.
    """

    name: str
    servo_id: int
    sign: int
    zero_ticks: int
    range_ticks: tuple[int, int]
    limits_rad: tuple[float, float]
    home_rad: float
    max_velocity_rad_s: float
    max_acceleration_rad_s2: float
    lerobot_unit: str
    homing_offset: int | None = None  # what the servo's register must hold, in ticks
    torque_limit: float | None = None  # share of full torque, 0 to 1
    p_coefficient: int | None = None  # the servo's own position gains
    i_coefficient: int | None = None
    d_coefficient: int | None = None
    park_rad: float | None = None  # where to go before torque off


@dataclass(frozen=True)
class Camera:
    """One camera: where its images are published and what they are called in datasets and checkpoints."""

    name: str
    topic: str
    feature: str
    width: int
    height: int
    rate_hz: float
    frame_id: str


@dataclass(frozen=True)
class ServoBus:
    """The serial bus of a real arm."""

    baud_rate: int
    usb_port: str


@dataclass(frozen=True)
class Description:
    """The package and the file in its share folder that hold the URDF."""

    package: str
    xacro: str


@dataclass(frozen=True)
class Rates:
    """control_hz: bus cycles and joint states; policy_hz: rows of a chunk."""

    control_hz: float
    policy_hz: float


@dataclass(frozen=True)
class Embodiment:
    """A robot. Arrays are in the order of `joints`."""

    path: Path
    robot_type: str
    description: Description
    joints: tuple[Joint, ...]
    bus: ServoBus
    cameras: tuple[Camera, ...]
    rates: Rates

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @cached_property
    def lower_rad(self) -> np.ndarray:
        return np.array([joint.limits_rad[0] for joint in self.joints])

    @cached_property
    def upper_rad(self) -> np.ndarray:
        return np.array([joint.limits_rad[1] for joint in self.joints])

    @cached_property
    def home_rad(self) -> np.ndarray:
        return np.array([joint.home_rad for joint in self.joints])

    @cached_property
    def max_velocity_rad_s(self) -> np.ndarray:
        return np.array([joint.max_velocity_rad_s for joint in self.joints])

    @cached_property
    def max_acceleration_rad_s2(self) -> np.ndarray:
        return np.array([joint.max_acceleration_rad_s2 for joint in self.joints])

    def camera(self, name: str) -> Camera:
        """Raises EmbodimentError where there is none of that name."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        known = ", ".join(camera.name for camera in self.cameras) or "none"
        raise EmbodimentError(f"{self.path}: no camera '{name}'; the file has: {known}")


def load_embodiment(path: str | Path | None = None) -> Embodiment:
    """Reads an embodiment file; None or "" is the SO-100's own. Raises EmbodimentError."""
    file = Path(path) if path else DEFAULT_FILE
    try:
        text = file.read_text()
    except OSError as error:
        raise EmbodimentError(
            f"embodiment file {file}: {error.strerror or error}; give the path of a file like config/so100.yaml"
        ) from None
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EmbodimentError(f"embodiment file {file} is not YAML: {error}") from None
    return _Section(file, "", raw).embodiment()


class _Section:
    """A mapping of the file with the name it has for the operator; every look-up is checked."""

    def __init__(self, file: Path, name: str, raw: Any) -> None:
        self.file, self.name = file, name
        if not isinstance(raw, Mapping):
            raise self.error("", "a mapping", raw)
        self.raw = dict(raw)

    def error(self, field: str, expected: str, found: Any) -> EmbodimentError:
        where = ".".join(part for part in (self.name, field) if part) or "the file"
        return EmbodimentError(f"{self.file}: {where}: expected {expected}, found {found!r}")

    def take(self, field: str) -> Any:
        if field not in self.raw:
            raise EmbodimentError(f"{self.file}: {'.'.join(p for p in (self.name, field) if p)}: missing")
        return self.raw.pop(field)

    def finish(self) -> None:
        for field, value in self.raw.items():
            raise self.error(str(field), "no such field (misspelt?)", value)

    def text(self, field: str, choices: tuple[str, ...] = ()) -> str:
        value = self.take(field)
        if not isinstance(value, str) or not value or (choices and value not in choices):
            raise self.error(field, f"one of {', '.join(choices)}" if choices else "a text", value)
        return value

    def optional(self, field: str, take: Callable[[str], _T]) -> _T | None:
        return take(field) if field in self.raw else None

    def number(self, field: str, above: float = -math.inf) -> float:
        return self._number(field, self.take(field), above)

    def integer(self, field: str, lowest: int, highest: int) -> int:
        return self._integer(field, self.take(field), lowest, highest)

    def number_pair(self, field: str) -> tuple[float, float]:
        low, high = self._pair(field)
        pair = self._number(field, low), self._number(field, high)
        if pair[0] >= pair[1]:
            raise self.error(field, "[lower, upper] with lower below upper", [low, high])
        return pair

    def integer_pair(self, field: str, lowest: int, highest: int) -> tuple[int, int]:
        low, high = self._pair(field)
        pair = self._integer(field, low, lowest, highest), self._integer(field, high, lowest, highest)
        if pair[0] >= pair[1]:
            raise self.error(field, "[min, max] with min below max", [low, high])
        return pair

    def section(self, field: str) -> _Section:
        return _Section(self.file, ".".join(p for p in (self.name, field) if p), self.take(field))

    def sections(self, field: str) -> list[_Section]:
        value = self.take(field)
        if not isinstance(value, list):
            raise self.error(field, "a list", value)
        label = ".".join(p for p in (self.name, field) if p)
        named = [item.get("name", i) if isinstance(item, Mapping) else i for i, item in enumerate(value)]
        return [_Section(self.file, f"{label}[{name}]", item) for name, item in zip(named, value, strict=True)]

    def _pair(self, field: str) -> list[Any]:
        value = self.take(field)
        if not isinstance(value, list) or len(value) != 2:
            raise self.error(field, "a list of two numbers", value)
        return value

    def _number(self, field: str, value: Any, above: float = -math.inf) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= above:
            raise self.error(field, "a number" if above == -math.inf else f"a number above {above:g}", value)
        return float(value)

    def _integer(self, field: str, value: Any, lowest: int, highest: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise self.error(field, f"a whole number from {lowest} to {highest}", value)
        return value

    def joint(self) -> Joint:
        coefficient = partial(self.integer, lowest=0, highest=254)
        joint = Joint(
            name=self.text("name"),
            servo_id=self.integer("servo_id", 0, 253),
            sign=self.integer("sign", -1, 1),
            zero_ticks=self.integer("zero_ticks", -TICKS_PER_TURN, 2 * TICKS_PER_TURN),
            range_ticks=self.integer_pair("range_ticks", 0, TICKS_PER_TURN - 1),
            limits_rad=self.number_pair("limits_rad"),
            home_rad=self.number("home_rad"),
            max_velocity_rad_s=self.number("max_velocity_rad_s", above=0),
            max_acceleration_rad_s2=self.number("max_acceleration_rad_s2", above=0),
            lerobot_unit=self.text("lerobot_unit", LEROBOT_UNITS),
            homing_offset=self.optional("homing_offset", partial(self.integer, lowest=-2047, highest=2047)),
            torque_limit=self.optional("torque_limit", partial(self.number, above=0)),
            **{f"{gain}_coefficient": self.optional(f"{gain}_coefficient", coefficient) for gain in "pid"},
            park_rad=self.optional("park_rad", self.number),
        )
        self.finish()
        if joint.sign == 0:
            raise self.error("sign", "1 or -1", 0)
        if joint.torque_limit is not None and joint.torque_limit > 1:
            raise self.error("torque_limit", "a number from 0 to 1", joint.torque_limit)
        low, high = joint.limits_rad
        for field, angle in (("home_rad", joint.home_rad), ("park_rad", joint.park_rad)):
            if angle is not None and not low <= angle <= high:
                raise self.error(field, f"a number inside limits_rad {low:g} to {high:g}", angle)
        return joint

    def camera(self) -> Camera:
        camera = Camera(
            name=self.text("name"),
            topic=self.text("topic"),
            feature=self.text("feature"),
            width=self.integer("width", 16, 8192),
            height=self.integer("height", 16, 8192),
            rate_hz=self.number("rate_hz", above=0),
            frame_id=self.text("frame_id"),
        )
        self.finish()
        return camera

    def embodiment(self) -> Embodiment:
        description, bus, rates = self.section("description"), self.section("bus"), self.section("rates")
        embodiment = Embodiment(
            path=self.file,
            robot_type=self.text("robot_type"),
            description=Description(package=description.text("package"), xacro=description.text("xacro")),
            joints=tuple(section.joint() for section in self.sections("joints")),
            bus=ServoBus(baud_rate=bus.integer("baud_rate", 1200, 4_000_000), usb_port=bus.text("usb_port")),
            cameras=tuple(section.camera() for section in self.sections("cameras")),
            rates=Rates(control_hz=rates.number("control_hz", above=0), policy_hz=rates.number("policy_hz", above=0)),
        )
        for section in (description, bus, rates, self):
            section.finish()
        if not embodiment.joints:
            raise self.error("joints", "at least one joint", [])
        self._unique("joints", "name", [joint.name for joint in embodiment.joints])
        self._unique("joints", "servo_id", [joint.servo_id for joint in embodiment.joints])
        for field in ("name", "topic", "feature"):
            self._unique("cameras", field, [getattr(camera, field) for camera in embodiment.cameras])
        return embodiment

    def _unique(self, field: str, key: str, values: list[Any]) -> None:
        for value in values:
            if values.count(value) > 1:
                raise self.error(f"{field}.{key}", "different values", value)
