"""The embodiment file: what a robot is, read and checked once.

    robot = load_embodiment()                       # config/so100.yaml
    robot.joint_names, robot.lower_rad              # ("shoulder_pan", ...), (6,) float64

Angles are in radians about the official URDF's zero, servo positions in ticks (4096 a turn).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import yaml

from smolvla_ros.checked_section import EmbodimentError, Section

TICKS_PER_TURN = 4096
PIXEL_FORMATS = ("mjpeg", "yuyv")
PREFIX = re.compile(r"[A-Za-z]\w*", re.ASCII)
LEROBOT_UNITS = ("degrees", "range_m100_100", "range_0_100")
DEFAULT_FILE = Path(__file__).parent / "config" / "so100.yaml"


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
class CameraMount:
    """Where a camera stands: on a link of the URDF, in that link's frame. The mount looks along its x, z is up.

    fovy_deg is the lens's vertical field of view.
    """

    parent: str
    xyz_m: tuple[float, ...]
    rpy_rad: tuple[float, ...]
    fovy_deg: float


@dataclass(frozen=True)
class CameraDevice:
    """A real camera: its Linux device, how it sends images, camera_calibration's file of its lens, if there is one."""

    path: str
    pixel_format: str
    calibration: Path | None


@dataclass(frozen=True)
class Camera:
    """One camera: where its images are published and what they are called in datasets and checkpoints.

    Without a mount nothing is said of where it stands: the URDF has no frame for it, the simulator cannot draw it.
    Without a device no node of this project can open it: something else publishes its topic, or the simulator does.
    """

    name: str
    topic: str
    feature: str
    width: int
    height: int
    rate_hz: float
    frame_id: str
    mount: CameraMount | None = None
    device: CameraDevice | None = None


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
    """A robot. Arrays are in the order of `joints`.

    prefix: stands before the names of joints and frames on the wire, for one of two arms on one host. Datasets and
    checkpoints know the joints without it.
    """

    path: Path
    robot_type: str
    description: Description
    joints: tuple[Joint, ...]
    bus: ServoBus
    cameras: tuple[Camera, ...]
    rates: Rates
    prefix: str = ""

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @cached_property
    def wire_names(self) -> tuple[str, ...]:
        """Of the joints in messages and in the URDF."""
        return tuple(self.prefix + joint.name for joint in self.joints)

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
    return _embodiment(Section(file, "", raw))


def _joint(section: Section) -> Joint:
    coefficient = partial(section.integer, lowest=0, highest=254)
    joint = Joint(
        name=section.text("name"),
        servo_id=section.integer("servo_id", 0, 253),
        sign=section.integer("sign", -1, 1),
        zero_ticks=section.integer("zero_ticks", -TICKS_PER_TURN, 2 * TICKS_PER_TURN),
        range_ticks=section.integer_pair("range_ticks", 0, TICKS_PER_TURN - 1),
        limits_rad=section.number_pair("limits_rad"),
        home_rad=section.number("home_rad"),
        max_velocity_rad_s=section.number("max_velocity_rad_s", above=0),
        max_acceleration_rad_s2=section.number("max_acceleration_rad_s2", above=0),
        lerobot_unit=section.text("lerobot_unit", LEROBOT_UNITS),
        homing_offset=section.optional("homing_offset", partial(section.integer, lowest=-2047, highest=2047)),
        torque_limit=section.optional("torque_limit", partial(section.number, above=0)),
        **{f"{gain}_coefficient": section.optional(f"{gain}_coefficient", coefficient) for gain in "pid"},
        park_rad=section.optional("park_rad", section.number),
    )
    section.finish()
    if joint.sign == 0:
        raise section.error("sign", "1 or -1", 0)
    if joint.torque_limit is not None and joint.torque_limit > 1:
        raise section.error("torque_limit", "a number from 0 to 1", joint.torque_limit)
    low, high = joint.limits_rad
    for field, angle in (("home_rad", joint.home_rad), ("park_rad", joint.park_rad)):
        if angle is not None and not low <= angle <= high:
            raise section.error(field, f"a number inside limits_rad {low:g} to {high:g}", angle)
    return joint


def _mount(section: Section) -> CameraMount:
    mount = CameraMount(
        parent=section.text("parent"),
        xyz_m=section.numbers("xyz_m", 3),
        rpy_rad=section.numbers("rpy_rad", 3),
        fovy_deg=section.number("fovy_deg", above=0),
    )
    section.finish()
    if mount.fovy_deg >= 180:
        raise section.error("fovy_deg", "a number above 0 and below 180", mount.fovy_deg)
    return mount


def _device(section: Section) -> CameraDevice:
    calibration = section.optional("calibration", section.text)
    if calibration is not None and not Path(calibration).is_absolute():
        raise section.error("calibration", "an absolute path, since this file is copied", calibration)
    device = CameraDevice(
        path=section.text("path"),
        pixel_format=section.optional("pixel_format", partial(section.text, choices=PIXEL_FORMATS)) or PIXEL_FORMATS[0],
        calibration=None if calibration is None else Path(calibration),
    )
    section.finish()
    return device


def _camera(section: Section, prefix: str) -> Camera:
    mount = section.optional("mount", section.section)
    device = section.optional("device", section.section)
    camera = Camera(
        name=section.text("name"),
        topic=section.text("topic"),
        feature=section.text("feature"),
        width=section.integer("width", 16, 8192),
        height=section.integer("height", 16, 8192),
        rate_hz=section.number("rate_hz", above=0),
        frame_id=prefix + section.text("frame_id"),
        mount=None if mount is None else _mount(mount),
        device=None if device is None else _device(device),
    )
    section.finish()
    return camera


def _embodiment(section: Section) -> Embodiment:
    prefix = section.optional("prefix", section.text) or ""
    if prefix and not PREFIX.fullmatch(prefix):
        raise section.error("prefix", "letters, digits and _, a letter first", prefix)
    description, bus, rates = section.section("description"), section.section("bus"), section.section("rates")
    embodiment = Embodiment(
        path=section.file,
        robot_type=section.text("robot_type"),
        description=Description(package=description.text("package"), xacro=description.text("xacro")),
        joints=tuple(_joint(joint) for joint in section.sections("joints")),
        bus=ServoBus(baud_rate=bus.integer("baud_rate", 1200, 4_000_000), usb_port=bus.text("usb_port")),
        cameras=tuple(_camera(camera, prefix) for camera in section.sections("cameras")),
        rates=Rates(control_hz=rates.number("control_hz", above=0), policy_hz=rates.number("policy_hz", above=0)),
        prefix=prefix,
    )
    for part in (description, bus, rates, section):
        part.finish()
    if not embodiment.joints:
        raise section.error("joints", "at least one joint", [])
    section.unique("joints", "name", [joint.name for joint in embodiment.joints])
    section.unique("joints", "servo_id", [joint.servo_id for joint in embodiment.joints])
    for field in ("name", "topic", "feature"):
        section.unique("cameras", field, [getattr(camera, field) for camera in embodiment.cameras])
    return embodiment
