"""What two poses of an arm tell of its calibration: a wrong zero, a swapped sign or a wrapped offset, joint by joint.

Pure. Both poses are put by hand, so an angle counts as right within TOLERANCE_RAD.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from so100_hardware.arm_file import ArmFile, ArmJoint
from so100_hardware.units import nearest_tick, ticks_from_radians

TOLERANCE_RAD = math.radians(15)
TURN_RAD = 2 * math.pi
QUARTER_RAD = math.pi / 2


@dataclass(frozen=True)
class Pose:
    """A pose that an eye can judge: what to do, and the angles of each robot_type's description there."""

    name: str
    steps: tuple[str, ...]
    body_rad: Mapping[str, Mapping[str, float]]
    gripper_open: bool

    def angle_rad(self, robot_type: str, joint: ArmJoint) -> float:
        """The gripper's ends are those of the description. Raises KeyError."""
        if joint.name == "gripper":
            return joint.limits_rad[1 if self.gripper_open else 0]
        return self.body_rad[robot_type][joint.name]


BODY = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")


def _of_each(so100: Sequence[float], so101: Sequence[float]) -> dict[str, dict[str, float]]:
    return {"so100": dict(zip(BODY, so100, strict=True)), "so101": dict(zip(BODY, so101, strict=True))}


# Lines are from joint axis to joint axis; the angles follow from the official URDFs' figures, as a test checks.
POSES = (
    Pose(
        "right angle",
        (
            "turn the arm straight ahead",
            "upper arm upright: the elbow's axis above the shoulder's",
            "lower arm level and forward, the hand in line with it",
            "moving jaw on top, gripper closed",
        ),
        _of_each(so100=(0.0, 1.557, -1.290, -0.590, 0.0), so101=(0.0, -0.244, 0.282, -0.019, 0.0)),
        gripper_open=False,
    ),
    Pose(
        "reaching to the left",
        (
            "turn the arm a quarter to its left",
            "upper and lower arm in one level line, from axis to axis",
            "the hand straight up",
            "moving jaw on the left, seen along the arm from the base; gripper wide open",
        ),
        _of_each(
            so100=(QUARTER_RAD, 3.128, -2.861, -2.161, QUARTER_RAD),
            so101=(-QUARTER_RAD, 1.327, -1.289, -1.590, QUARTER_RAD),
        ),
        gripper_open=True,
    ),
)
ROBOT_TYPES = tuple(POSES[0].body_rad)


class Fault(Enum):
    """What is wrong with a joint."""

    NONE = "right"
    ZERO = "wrong zero"
    SIGN = "swapped sign"
    WRAPPED = "wrapped offset"
    STILL = "did not turn"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Verdict:
    """A joint's angles in both poses, and what they tell. `zero_ticks` and `sign` would make both right."""

    joint: ArmJoint
    expected_rad: tuple[float, float]
    found_rad: tuple[float, float]
    fault: Fault
    zero_ticks: int
    sign: int


def judge(arm: ArmFile, first_ticks: dict[str, int], second_ticks: dict[str, int]) -> list[Verdict]:
    """The verdict on each joint for what its servo showed in both POSES.

    Raises KeyError for other joints and for a robot_type that is none of ROBOT_TYPES.
    """
    return [
        _judge_joint(arm.robot_type, joint, (first_ticks[joint.name], second_ticks[joint.name])) for joint in arm.joints
    ]


def _judge_joint(robot_type: str, joint: ArmJoint, ticks: tuple[int, int]) -> Verdict:
    expected = (POSES[0].angle_rad(robot_type, joint), POSES[1].angle_rad(robot_type, joint))
    found = (joint.radians(ticks[0]), joint.radians(ticks[1]))
    fault = _fault(expected, found)
    sign = -joint.sign if fault is Fault.SIGN else joint.sign
    # The zero at which the error is the same to both sides.
    apart = [at - ticks_from_radians(angle, 0.0, sign) for at, angle in zip(ticks, expected, strict=True)]
    return Verdict(joint, expected, found, fault, nearest_tick(sum(apart) / 2), sign)


def _fault(expected: tuple[float, float], found: tuple[float, float]) -> Fault:
    errors = [f - e for f, e in zip(found, expected, strict=True)]
    if all(abs(error) <= TOLERANCE_RAD for error in errors):
        return Fault.NONE
    asked, turned = expected[1] - expected[0], found[1] - found[0]
    near = 2 * TOLERANCE_RAD  # both poses may be off
    if abs(turned - asked) <= near:
        # Half a turn and whole ones are no matter of a pose: an offset with the wrong sign, or of another count.
        halves = round(sum(errors) / 2 / math.pi)
        return Fault.WRAPPED if halves and abs(sum(errors) / 2 - halves * math.pi) <= near else Fault.ZERO
    if abs(turned + asked) <= near:
        return Fault.SIGN
    if any(abs(turned - asked + wrap) <= near for wrap in (TURN_RAD, -TURN_RAD)):
        return Fault.WRAPPED
    return Fault.STILL if abs(turned) <= near else Fault.UNCLEAR
