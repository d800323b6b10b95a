"""Who commands the arm on a ROS host: the policy, MoveIt or a stream of positions, each by its own controllers.

ros2_control lets one controller claim a joint, so whoever's controllers are inactive moves nothing. What is decided
here is when command may change hands: never while the arm moves or is about to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

# source -> its controllers, as config/controllers.yaml names them
SOURCES: dict[str, tuple[str, ...]] = {
    "policy": ("joint_trajectory_controller",),
    "moveit": ("manipulator_controller", "gripper_controller"),
    "forward": ("forward_position_controller",),
}
RESTING_RAD_S = 0.05
FRESH_S = 0.5


class SwitchRefused(RuntimeError):
    """Command does not change hands now. The message says why and what to do."""


@dataclass(frozen=True)
class Activity:
    """What the arm is doing: age of the newest joint state (s), its velocities (joints,) rad/s, the executor's task
    ("" for none), the controllers that execute a goal.
    """

    joint_state_age_s: float
    velocities_rad_s: Sequence[float]
    task: str
    executing: Collection[str]


@dataclass(frozen=True)
class Switch:
    """Controllers to activate and to deactivate, in one request, all or none."""

    activate: tuple[str, ...]
    deactivate: tuple[str, ...]


def check_at_rest(activity: Activity) -> None:
    """Raises SwitchRefused while anything moves the arm."""
    if not activity.joint_state_age_s <= FRESH_S:
        raise SwitchRefused(
            f"no joint state within {FRESH_S:g} s, so nobody knows whether the arm moves: is the hardware active?"
        )
    if activity.task:
        raise SwitchRefused(f"the policy's task runs ({activity.task}): stop it first, then ask again")
    if activity.executing:
        raise SwitchRefused(f"{', '.join(sorted(activity.executing))} executes a goal: wait for it or cancel it")
    fastest = max((abs(velocity) for velocity in activity.velocities_rad_s), default=0.0)
    if not fastest <= RESTING_RAD_S:
        raise SwitchRefused(f"a joint moves at {fastest:.2f} rad/s: ask again when the arm rests")


def switch_to(source: str, controllers: dict[str, str]) -> Switch:
    """`controllers`: name -> "active", "inactive", ... of those that are loaded. Raises SwitchRefused."""
    wanted = SOURCES[source]
    missing = [name for name in wanted if controllers.get(name) not in ("active", "inactive")]
    if missing:
        found = controllers.get(missing[0], "not loaded")
        raise SwitchRefused(f"{missing[0]}: expected active or inactive, found {found}: spawn it from controllers.yaml")
    others = [name for names in SOURCES.values() for name in names if name not in wanted]
    return Switch(
        activate=tuple(name for name in wanted if controllers[name] == "inactive"),
        deactivate=tuple(name for name in others if controllers.get(name) == "active"),
    )
