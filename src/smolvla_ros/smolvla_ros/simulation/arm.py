"""What the simulator and the scripted policy know of an arm beyond its embodiment file: one record a robot_type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from smolvla_ros.embodiment import Embodiment, EmbodimentError
from smolvla_ros.simulation.kinematics import Kinematics, Triple


@dataclass(frozen=True)
class MappedJoint:
    """mjcf angle = wire angle + offset_rad. `axis` is the joint's, in its MJCF body."""

    mjcf_name: str
    offset_rad: float
    axis: tuple[int, int, int]


@dataclass(frozen=True)
class PublishedModel:
    """MJCF in a wheel: `arm_file` has the bodies, `asset_file` the meshes, both below the module's folder.

    fine_cell_m: videos show the meshes with what lies in a cell of this edge made one; 0 shows every face.
    """

    module: str
    requirement: str
    arm_file: str
    asset_file: str
    mesh_folder: str
    name_prefix: str = ""
    fine_cell_m: float = 0.0


@dataclass(frozen=True)
class FingerBox:
    """A collision box of a finger: middle and half sizes (m), in its body's frame."""

    middle: Triple
    half: Triple


@dataclass(frozen=True)
class Arm:
    """links: URDF link -> MJCF body, whose frames are the same.

    finger_boxes: MJCF body -> boxes to collide with in place of that body's published collision shapes.
    """

    robot_type: str
    kinematics: Kinematics
    model: PublishedModel
    joints: Mapping[str, MappedJoint]
    links: Mapping[str, str]
    finger_boxes: Mapping[str, tuple[FingerBox, ...]] = field(default_factory=dict)

    def mjcf_from_wire(self, joint: str, wire_rad: float) -> float:
        return wire_rad + self.joints[joint].offset_rad

    def offsets(self, joints: tuple[str, ...]) -> np.ndarray:
        """(joints,) rad: what to add to wire angles."""
        return np.array([self.joints[joint].offset_rad for joint in joints])


def arm_of(embodiment: Embodiment) -> Arm:
    """Raises EmbodimentError where the robot_type is none of ours, or a joint is not the arm's."""
    from smolvla_ros.simulation.so100 import SO100
    from smolvla_ros.simulation.so101 import SO101

    arms = {arm.robot_type: arm for arm in (SO100, SO101)}
    arm = arms.get(embodiment.robot_type)
    if arm is None:
        raise EmbodimentError(
            f"{embodiment.path}: robot_type: simulator and scripted policy know {', '.join(arms)};"
            f" found '{embodiment.robot_type}'"
        )
    if tuple(arm.joints) != embodiment.joint_names:
        raise EmbodimentError(
            f"{embodiment.path}: joints: expected {', '.join(arm.joints)} of {arm.robot_type};"
            f" found {', '.join(embodiment.joint_names)}"
        )
    return arm
