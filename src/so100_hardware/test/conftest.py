from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from so100_hardware import Bus, ServoGroup, ServoJoint, VirtualBus

# a busy host is no failure
settings.register_profile("any_host", deadline=None)
settings.load_profile("any_host")

SERVO_IDS = (1, 2, 3, 4, 5, 6)
NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")

JOINT_XML = """<joint name="{name}">
  <param name="id">{id}</param><param name="sign">{sign}</param><param name="zero_ticks">2047</param>
  <param name="range_min">500</param><param name="range_max">3500</param>
  <param name="max_velocity">4.0</param><param name="max_acceleration">40.0</param>{extra}
  <command_interface name="position"><param name="min">-2.0</param><param name="max">2.0</param></command_interface>
  <state_interface name="position"/>
</joint>"""


@pytest.fixture
def urdf_for() -> Callable[..., str]:
    """The description of six joints on a port, the first against its servo's sense; keywords are hardware parameters,
    `joint_parameters` go to every joint.
    """

    def urdf(port: str, joint_parameters: dict[str, object] | None = None, **hardware: object) -> str:
        settings = {"usb_port": port, "baud_rate": 1000000, "auto_reconnect": "true", **hardware}
        extra = _params(joint_parameters or {})
        joints = "".join(
            JOINT_XML.format(name=n, id=i + 1, sign=-1 if i == 0 else 1, extra=extra) for i, n in enumerate(NAMES)
        )
        return f"""<robot name="so100"><ros2_control name="so100" type="system"><hardware>
      <plugin>so100_hardware/So100System</plugin>{_params(settings)}</hardware>{joints}</ros2_control></robot>"""

    return urdf


def _params(values: dict[str, object]) -> str:
    return "".join(f'<param name="{name}">{value}</param>' for name, value in values.items())


@pytest.fixture
def virtual() -> Iterator[VirtualBus]:
    """Six servos at rest in the middle, answering without the factory's return delay."""
    with VirtualBus(SERVO_IDS) as bus:
        for servo_id in SERVO_IDS:
            bus.set(servo_id, "return_delay_time", 0)
        yield bus


@pytest.fixture
def bus(virtual: VirtualBus) -> Iterator[Bus]:
    with Bus(virtual.port) as bus:
        yield bus


@pytest.fixture
def make_group(bus: Bus) -> Callable[..., ServoGroup]:
    """A group with zero at 2047 ticks, +-2 rad, 500 to 3500 ticks; the first joint's sign is -1."""

    def make(**changes: object) -> ServoGroup:
        settings = {"zero_ticks": 2047, "range_ticks": (500, 3500), "limits_rad": (-2.0, 2.0), **changes}
        return ServoGroup(bus, [ServoJoint(n, i + 1, -1 if i == 0 else 1, **settings) for i, n in enumerate(NAMES)])

    return make


@pytest.fixture
def group(make_group: Callable[..., ServoGroup]) -> ServoGroup:
    return make_group()
