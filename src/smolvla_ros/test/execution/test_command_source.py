from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from smolvla_ros.execution.command_source import SOURCES, Activity, SwitchRefused, check_at_rest, switch_to

import smolvla_ros

AT_REST = Activity(joint_state_age_s=0.01, velocities_rad_s=[0.0, -0.01, 0.02], task="", executing=())
LOADED = {name: "inactive" for names in SOURCES.values() for name in names}
CONTROLLERS = yaml.safe_load((Path(smolvla_ros.__file__).parent / "config" / "controllers.yaml").read_text())


def active(source: str) -> dict[str, str]:
    return LOADED | dict.fromkeys(SOURCES[source], "active")


@pytest.mark.parametrize(("holder", "wanted"), itertools.permutations(SOURCES, 2))
def test_command_passes_whole_from_one_source_to_the_other(holder: str, wanted: str) -> None:
    switch = switch_to(wanted, active(holder))
    assert switch.activate == SOURCES[wanted]
    assert switch.deactivate == SOURCES[holder]


@pytest.mark.parametrize("source", SOURCES)
def test_who_commands_already_changes_nothing(source: str) -> None:
    switch = switch_to(source, active(source))
    assert (switch.activate, switch.deactivate) == ((), ())


def test_a_half_made_switch_is_completed() -> None:
    switch = switch_to("moveit", LOADED | {"gripper_controller": "active", "joint_trajectory_controller": "active"})
    assert switch.activate == ("manipulator_controller",)
    assert switch.deactivate == ("joint_trajectory_controller",)


def test_a_controller_that_is_not_loaded_is_named() -> None:
    without = {name: state for name, state in active("policy").items() if name != "gripper_controller"}
    with pytest.raises(SwitchRefused, match="gripper_controller: expected active or inactive, found not loaded"):
        switch_to("moveit", without)


def test_an_arm_at_rest_may_change_hands() -> None:
    check_at_rest(AT_REST)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"velocities_rad_s": [0.0, -0.3]}, "a joint moves at 0.30 rad/s"),
        ({"velocities_rad_s": [float("nan")]}, "a joint moves at nan"),
        ({"task": "put it there"}, r"the policy's task runs \(put it there\)"),
        ({"executing": {"manipulator_controller"}}, "manipulator_controller executes a goal"),
        ({"joint_state_age_s": 0.6}, "no joint state within 0.5 s"),
        ({"joint_state_age_s": float("inf")}, "no joint state"),
    ],
)
def test_an_arm_that_moves_stays_with_whom_it_is(change: dict, told: str) -> None:
    with pytest.raises(SwitchRefused, match=told):
        check_at_rest(replace(AT_REST, **change))


def test_the_sources_controllers_are_those_of_the_configuration() -> None:
    loaded = {n for n, v in CONTROLLERS["controller_manager"]["ros__parameters"].items() if isinstance(v, dict)}
    assert {n for names in SOURCES.values() for n in names} <= loaded
    joints = [CONTROLLERS[name]["ros__parameters"] for name in SOURCES["moveit"]]
    commanded = [*joints[0]["joints"], joints[1]["joint"]]
    assert commanded == CONTROLLERS[SOURCES["policy"][0]]["ros__parameters"]["joints"]
