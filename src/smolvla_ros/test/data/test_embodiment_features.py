from __future__ import annotations

from dataclasses import replace

import pytest
from smolvla_ros.data.embodiment_features import features_of, require_same_joints
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.features import parse_feature, vector
from smolvla_ros.embodiment import load_embodiment


def test_the_so100s_features_have_lerobots_names_and_units() -> None:
    features = features_of(load_embodiment())
    assert features["action"].names[0] == "shoulder_pan.pos"
    assert features["observation.state"].units == ("degrees",) * 5 + ("range_0_100",)
    assert features["observation.images.top"].shape == (480, 640, 3)
    for name, feature in features.items():
        assert parse_feature(name, feature.to_json()) == feature


def test_joints_in_other_units_or_in_none_named_are_refused() -> None:
    robot = load_embodiment()
    features = features_of(robot)
    require_same_joints(features, robot)
    radians = replace(features["action"], units=("radians",) * 6)
    with pytest.raises(DatasetError, match=r"action.units: expected .*'degrees'.*, found \['radians'"):
        require_same_joints({**features, "action": radians}, robot)
    with pytest.raises(DatasetError, match=r"observation.state.units: .*found none named"):
        require_same_joints({**features, "observation.state": replace(features["action"], units=None)}, robot)


def test_old_names_of_the_same_joints_are_taken_and_other_joints_refused() -> None:
    robot = load_embodiment()
    features = features_of(robot)
    old = replace(features["action"], names={"motors": [f"main_{name}" for name in robot.joint_names]})
    require_same_joints({**features, "action": old}, robot)
    with pytest.raises(DatasetError, match=r"action.names"):
        require_same_joints({**features, "action": vector(["x"], ["degrees"])}, robot)
    with pytest.raises(DatasetError, match="feature action: expected 6 joints, found none"):
        require_same_joints({"observation.state": features["action"]}, robot)


def test_every_component_needs_a_unit_that_is_known() -> None:
    with pytest.raises(DatasetError, match="one of degrees, range_m100_100, range_0_100, radians for each"):
        vector(["a", "b"], ["degrees", "deg"])
