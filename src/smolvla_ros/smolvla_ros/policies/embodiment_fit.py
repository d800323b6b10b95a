"""Whether a checkpoint was made for this robot: cameras, joints, units and the values that its statistics speak of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, Checkpoint
from smolvla_ros.model.config import ACTION, STATE
from smolvla_ros.model.joint_statistics import joint_ranges
from smolvla_ros.model.normalization import Normalizer
from smolvla_ros.policies.interface import EmbodimentMismatch

RANGE_MARGIN = 0.05
"""Of a joint's range: two arms' calibrations differ by some degrees."""
RADIANS_REACH = 2 * np.pi


def fit_cameras(checkpoint: Checkpoint, embodiment: Embodiment, rename_map: Mapping[str, str]) -> dict[str, str]:
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


def check_joints(checkpoint: Checkpoint, embodiment: Embodiment) -> None:
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


def check_statistics(checkpoint: Checkpoint, embodiment: Embodiment) -> None:
    """That statistics lie where this robot's joints can be, in LeRobot's units. Raises EmbodimentMismatch.

    Catches radians, and degrees about another zero: both would drive the arm to poses it was never shown.
    """
    low, high = joint_ranges(embodiment)
    for feature, normalizer in ((STATE, checkpoint.processors.state), (ACTION, checkpoint.processors.action)):
        if normalizer.mode != "IDENTITY":
            _check_feature(feature, normalizer, embodiment, low, high)


def _check_feature(
    feature: str, normalizer: Normalizer, embodiment: Embodiment, low: np.ndarray, high: np.ndarray
) -> None:
    centre, spread = (values.double().numpy() for values in normalizer.centre_and_spread())
    if (np.abs(centre) + 2 * spread < RADIANS_REACH).all():
        raise EmbodimentMismatch(
            f"{feature} statistics: expected LeRobot's units (degrees, 0 to 100), found values that look like radians: "
            f"centres {np.round(centre, 2).tolist()}; convert the dataset's statistics, or use a checkpoint trained "
            "on a dataset in LeRobot's units"
        )
    margin = RANGE_MARGIN * (high - low)
    for index, joint in enumerate(embodiment.joints):
        inside = low[index] - margin[index] <= centre[index] <= high[index] + margin[index]
        if not inside or spread[index] > (high - low)[index] / 2 + margin[index]:
            raise EmbodimentMismatch(
                f"{feature} statistics of {joint.name}: expected values from {low[index]:.1f} to {high[index]:.1f} "
                f"({joint.lerobot_unit}, from {embodiment.path}), found centre {centre[index]:.1f} and spread "
                f"{spread[index]:.1f}; the dataset had another zero or unit: re-train on data of this calibration, "
                "or set lerobot_unit in the embodiment file to the dataset's"
            )
