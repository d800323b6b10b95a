"""Whether a checkpoint was made for this robot: cameras, joints, units and the values that its statistics speak of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.model.checkpoint import EMBODIMENT_FILE
from smolvla_ros.model.config import ACTION, STATE, SmolVLAConfig
from smolvla_ros.model.inspection import Check, Inspection, check
from smolvla_ros.model.joint_statistics import joint_ranges
from smolvla_ros.model.normalization import Normalizer
from smolvla_ros.model.processors import Processors
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.policies.interface import EmbodimentMismatch

RANGE_MARGIN = 0.05
"""Of a joint's range: two arms' calibrations differ by some degrees."""
RADIANS_REACH = 2 * np.pi
OLD_ZERO = {"shoulder_lift": (-1.0, 90.0), "elbow_flex": (1.0, -90.0)}
"""Joint -> factor and offset from LeRobot's degrees of before June 2025, about the outstretched arm, to those since."""


class FitsOrNot(Protocol):
    """What of a checkpoint is compared with a robot: its settings and statistics, not its weights."""

    @property
    def path(self) -> Path | None: ...
    @property
    def config(self) -> SmolVLAConfig: ...
    @property
    def processors(self) -> Processors: ...


def fit_cameras(checkpoint: FitsOrNot, embodiment: Embodiment, rename_map: Mapping[str, str]) -> dict[str, str]:
    """The checkpoint's camera feature -> the robot's camera name, in the checkpoint's order.

    rename_map goes over the checkpoint's own: a robot's feature -> the checkpoint's. As many cameras as the
    checkpoint's `empty_cameras` may be missing. Raises EmbodimentMismatch.
    """
    renames = {**checkpoint.processors.rename_map, **rename_map}
    own = {camera.feature: camera.name for camera in embodiment.cameras}
    unknown = [feature for feature in rename_map if feature not in own]
    if unknown:
        raise EmbodimentMismatch(
            f"rename_map: expected features of {embodiment.path}: {', '.join(own)}; found {', '.join(unknown)}"
        )
    offered = {renames.get(feature, feature): name for feature, name in own.items()}
    wanted = checkpoint.config.camera_features
    found = {feature: offered[feature] for feature in wanted if feature in offered}
    missing = [feature for feature in wanted if feature not in offered]
    if not found or len(missing) > checkpoint.config.empty_cameras:
        raise EmbodimentMismatch(
            f"cameras: the checkpoint expects {', '.join(wanted)}, {embodiment.path} offers {', '.join(offered)}; "
            f"missing {', '.join(missing)}: name each camera's feature in the embodiment file as the checkpoint does, "
            "or rename them (rename_map: robot's feature -> checkpoint's)"
        )
    return found


def check_joints(checkpoint: FitsOrNot, embodiment: Embodiment) -> None:
    """Widths, names, order and units of states and actions. Raises EmbodimentMismatch."""
    names = embodiment.joint_names
    for feature, width in ((STATE, checkpoint.config.state_dim), (ACTION, checkpoint.config.action_dim)):
        if width != len(names):
            raise EmbodimentMismatch(
                f"{feature}: expected {len(names)} values ({', '.join(names)}), found {width} in the checkpoint; "
                "use a checkpoint trained on this robot, or the embodiment file of the robot it was trained on"
            )
    saved = checkpoint.path / EMBODIMENT_FILE if checkpoint.path else None
    if saved is None or not saved.exists():
        return  # public checkpoints do not say
    trained_on = load_embodiment(saved)
    for field, of in (("joint names", "name"), ("LeRobot units", "lerobot_unit")):
        theirs, ours = ([getattr(joint, of) for joint in robot.joints] for robot in (trained_on, embodiment))
        if theirs != ours:
            raise EmbodimentMismatch(
                f"{field}: expected {', '.join(ours)} ({embodiment.path}), found {', '.join(theirs)} ({saved}); "
                "use the embodiment file that the checkpoint was trained with"
            )


def check_statistics(checkpoint: FitsOrNot, embodiment: Embodiment) -> None:
    """That statistics lie where this robot's joints can be, in LeRobot's units. Raises EmbodimentMismatch.

    Catches radians, and degrees about another zero: both would drive the arm to poses it was never shown.
    """
    processors = checkpoint.processors
    check_feature(STATE, processors.state, embodiment)
    check_feature(ACTION, processors.action, embodiment, processors.relative)


def check_feature(
    feature: str, normalizer: Normalizer, embodiment: Embodiment, relative: RelativeActions | None = None
) -> None:
    """The same of states or actions alone. relative: what makes the actions offsets, up to a joint's whole range."""
    if normalizer.mode == "IDENTITY":
        return
    low, high = joint_ranges(embodiment)
    if relative:
        offsets = relative.mask(len(low)).numpy()
        low, high = np.where(offsets, low - high, low), np.where(offsets, high - low, high)
    centre, spread = (values.double().numpy() for values in normalizer.centre_and_spread())
    if (np.abs(centre) + 2 * spread < RADIANS_REACH).all():
        raise EmbodimentMismatch(
            f"{feature} statistics: expected LeRobot's units (degrees, 0 to 100), found values that look like radians: "
            f"centres {np.round(centre, 2).tolist()}; convert the dataset's statistics, or use a checkpoint trained "
            "on a dataset in LeRobot's units"
        )
    margin = RANGE_MARGIN * (high - low)

    def outside(centre: np.ndarray) -> np.ndarray:
        return (centre < low - margin) | (centre > high + margin) | (spread > (high - low) / 2 + margin)

    wrong = np.flatnonzero(outside(centre))
    if not len(wrong):
        return
    joint, index = embodiment.joints[wrong[0]], wrong[0]
    found = (
        f"{feature} statistics of {joint.name}: expected values from {low[index]:.1f} to {high[index]:.1f} "
        f"({joint.lerobot_unit}, from {embodiment.path}), found centre {centre[index]:.1f} and spread "
        f"{spread[index]:.1f}; "
    )
    since_2025 = _from_old_zero(centre, embodiment)
    if since_2025 is not None and not outside(since_2025).any():
        names = [j for j in embodiment.joint_names if j in OLD_ZERO]
        moved = ", ".join(f"{name} {since_2025[embodiment.joint_names.index(name)]:.1f}" for name in names)
        raise EmbodimentMismatch(
            f"{found}the dataset had another zero, LeRobot's before June 2025 (degrees about the arm stretched out): "
            f"in today's degrees the values fit ({moved}), but the policy would see and move {' and '.join(names)} "
            "some 90 degrees off; fine-tune it on a dataset recorded with this arm's calibration"
        )
    raise EmbodimentMismatch(
        f"{found}the dataset had another zero or unit: re-train on data of this calibration, or set lerobot_unit in "
        "the embodiment file to the dataset's"
    )


def fit_checks(inspection: Inspection, embodiment: Embodiment) -> list[Check]:
    """Each question on its own, so that one answer does not hide the next."""
    features = {STATE: inspection.processors.state, ACTION: inspection.processors.action}

    def cameras() -> str:
        found = fit_cameras(inspection, embodiment, {})
        return ", ".join(f"{feature} from {name}" for feature, name in found.items())

    def joints() -> str:
        check_joints(inspection, embodiment)
        return ", ".join(embodiment.joint_names)

    def values(feature: str) -> str:
        relative = inspection.processors.relative if feature == ACTION else None
        check_feature(feature, features[feature], embodiment, relative)
        return f"where the joints of {embodiment.robot_type} can be"

    checks = [check("cameras", cameras), check("joints", joints)]
    if not checks[-1].fits:
        return checks
    known = [feature for feature in features if feature not in inspection.without_statistics]
    return checks + [check(f"values of {feature}", partial(values, feature)) for feature in known]


def _from_old_zero(centre: np.ndarray, embodiment: Embodiment) -> np.ndarray | None:
    """The centres moved from the old zero to today's; None where its joints are absent or not in degrees."""
    moved = centre.copy()
    for name, (factor, offset) in OLD_ZERO.items():
        index = next((i for i, j in enumerate(embodiment.joints) if j.name == name), None)
        if index is None or embodiment.joints[index].lerobot_unit != "degrees":
            return None
        moved[index] = factor * centre[index] + offset
    return moved
