"""The features of a dataset recorded on an embodiment, and whether a dataset's joints are in its units."""

from __future__ import annotations

from collections.abc import Mapping

from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import ACTION, STATE, Feature, camera, vector
from smolvla_ros.embodiment import Embodiment


def features_of(embodiment: Embodiment) -> dict[str, Feature]:
    """Action, state and cameras under LeRobot's names: `shoulder_pan.pos`, `observation.images.top`."""
    names = [f"{name}.pos" for name in embodiment.joint_names]
    joints = vector(names, [joint.lerobot_unit for joint in embodiment.joints])
    cameras = {eye.feature: camera(eye.height, eye.width) for eye in embodiment.cameras}
    return {ACTION: joints, STATE: joints, **cameras}


def require_same_joints(features: Mapping[str, Feature], embodiment: Embodiment) -> None:
    """Raises DatasetError where action or state have other joints or are in, or may be in, other units."""
    expected = features_of(embodiment)[STATE]
    for name in (ACTION, STATE):
        if name not in features:
            raise mismatch(f"feature {name}", f"{expected.shape[0]} joints", "none", "take a dataset of this robot")
        found = features[name]
        if tuple(_plain(n) for n in found.component_names) != tuple(_plain(n) for n in expected.component_names):
            remedy = "take a dataset of this robot or its own embodiment file"
            raise mismatch(f"{name}.names", str(list(expected.component_names)), list(found.component_names), remedy)
        if found.units != expected.units:
            units = list(found.units) if found.units else "none named"
            remedy = "convert it, or name the units in its meta/info.json if you know them"
            raise mismatch(f"{name}.units", str(list(expected.units or ())), units, remedy)


def _plain(name: str) -> str:
    """Joint names as they were before and after LeRobot named them `shoulder_pan.pos`."""
    return name.removeprefix("main_").removesuffix(".pos")
