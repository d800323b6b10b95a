from __future__ import annotations

import re

import pytest
from so100_hardware.description import parse_description

from so100_hardware import DescriptionError

JOINT = """<joint name="{name}"><param name="id">{id}</param><param name="sign">-1</param>
<param name="zero_ticks">2047</param><param name="range_min">743</param><param name="range_max">3351</param>
<param name="max_velocity">4.0</param><param name="max_acceleration">40.0</param>
<command_interface name="position"><param name="min">-2.0</param><param name="max">2.0</param></command_interface>
</joint>"""
URDF = (
    """<robot name="so100"><link name="base"/><ros2_control name="arm" type="system"><hardware>
<plugin>so100_hardware/So100System</plugin><param name="usb_port">/dev/ttyACM0</param>
<param name="baud_rate">1000000</param></hardware>"""
    + JOINT.format(name="shoulder_pan", id=1)
    + JOINT.format(name="gripper", id=6)
    + "</ros2_control></robot>"
)


def test_every_field_is_read() -> None:
    found = parse_description(URDF)
    assert (found.usb_port, found.baud_rate) == ("/dev/ttyACM0", 1000000)
    assert found.joint_names == ("shoulder_pan", "gripper")
    joint = found.joints[1]
    assert (joint.name, joint.servo_id, joint.sign, joint.zero_ticks) == ("gripper", 6, -1, 2047)
    assert (joint.range_ticks, joint.limits_rad) == ((743, 3351), (-2.0, 2.0))
    assert joint.radians(2047) == 0.0


def test_what_the_block_leaves_out_is_safe() -> None:
    found = parse_description(URDF)
    assert not found.auto_reconnect
    assert found.torque_off_on_deactivate


def change(pattern: str, replacement: str) -> str:
    changed = re.sub(pattern, replacement, URDF, count=1)
    assert changed != URDF
    return changed


@pytest.mark.parametrize(
    ("urdf", "message"),
    [
        ("", "text: expected a URDF, found nothing"),
        ("<robot", "text: expected XML, found unclosed token"),
        ("<robot/>", "hardware/plugin: expected so100_hardware/So100System once, found no <ros2_control>"),
        (change("so100_hardware/So100System", "mock_components/GenericSystem"), "found mock_components/GenericSystem"),
        (change("/dev/ttyACM0", " "), "hardware/usb_port: expected a value, found none"),
        (change("1000000", "fast"), "hardware/baud_rate: expected a number, found 'fast'"),
        (change("1000000", "0"), "hardware/baud_rate: expected 1 to 4000000, found 0"),
        (change('<param name="id">1', '<param name="id">300'), "joint shoulder_pan/id: expected 0 to 253, found 300"),
        (
            change('<param name="id">1', '<param name="id">6'),
            "joint/id: expected one joint each, found 6 at shoulder_pan and gripper",
        ),
        (change('"gripper"', '"shoulder_pan"'), "joint/name: expected one joint each, found shoulder_pan at 2 joints"),
        (change('name="sign">-1', 'name="sign">2'), "joint shoulder_pan/sign: expected 1 or -1, found 2"),
        (change("2047", "2047.5"), "joint shoulder_pan/zero_ticks: expected a whole number, found 2047.5"),
        (change("743", "4000"), "joint shoulder_pan/range_min: expected less than range_max, found 4000 and 3351"),
        (change('"max">2.0', '"max">-2.0'), "joint shoulder_pan/command_interface: expected min below max"),
        (change('"max">2.0', '"max">nan'), "joint shoulder_pan/command_interface/max: expected a number, found 'nan'"),
        (change('"max_velocity">4.0', '"max_velocity">0'), "shoulder_pan/max_velocity: expected more than 0, found 0"),
        (change("max_velocity", "max_speed"), "joint shoulder_pan/max_velocity: expected a value, found none"),
        (change("baud_rate", "baud_rat"), "hardware/baud_rate: expected a value, found none"),
        (
            change("max_acceleration", "torque"),
            "shoulder_pan/torque: expected one of d_coefficient, homing_offset",
        ),
        (change("max_acceleration", "torque_limit"), "joint shoulder_pan/torque_limit: expected 0 to 1, found 40"),
        (
            change('command_interface name="position"', 'command_interface name="velocity"'),
            "a position command",
        ),
    ],
)
def test_a_wrong_field_is_named_with_the_expected_and_the_found(urdf: str, message: str) -> None:
    with pytest.raises(DescriptionError, match=re.escape(message)):
        parse_description(urdf)
