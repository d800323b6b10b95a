"""The executor node's parameters, and the settings of the core that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from smolvla_ros.execution.collisions import TOLERANCE_M
from smolvla_ros.execution.overlap import OVERLAPS
from smolvla_ros.execution.settings import ExecutorSettings
from smolvla_ros.nodes.controllers import CONTROLLERS, TRAJECTORY
from smolvla_ros.nodes.parameters import Parameter

DEFAULTS = ExecutorSettings()
KEEP, FLUSH = "keep", "flush"


class QueueRuleError(ValueError):
    """A rule for queued rows that there is not."""


def live(
    name: str, default: float | int | str | bool, description: str, bounds: tuple[float, float] | None = None
) -> Parameter:
    return Parameter(name, default, description, bounds, live=True)


PARAMETERS = (
    Parameter("embodiment", "", "embodiment file; empty: config/so100.yaml"),
    Parameter("rate", 50.0, "Hz; how often the queue is looked at", (10.0, 500.0)),
    Parameter(
        "thread_priority",
        40,
        "SCHED_FIFO priority of the node's threads, where the host permits it; 0: as others",
        (0, 99),
    ),
    Parameter("controller", TRAJECTORY, "what gets the motion: " + ", ".join(CONTROLLERS)),
    Parameter("collision_check", False, "refuse rows that would drive the arm into the table, obstacles or itself"),
    Parameter("collision_tolerance", TOLERANCE_M, "m; how deep it may be commanded into anything", (0.0, 0.1)),
    Parameter("obstacles", "", "YAML file of what else stands around the arm; empty: the table alone"),
    live("mode", DEFAULTS.mode, "async; sync: chunks are asked for while the arm holds"),
    live("n_action_steps", DEFAULTS.n_action_steps, "sync: rows of each chunk that are executed; 0: all", (0, 1000)),
    live(
        "max_slowdown",
        DEFAULTS.max_slowdown,
        "how many times slower rows may be executed where chunks come too slowly; 1: the arm waits instead",
        (1.0, 10.0),
    ),
    live("threshold", DEFAULTS.threshold, "g: a chunk is asked for at g * horizon rows left", (0.0, 1.0)),
    live("auto_threshold", DEFAULTS.auto_threshold, "take the lowest g that measured latencies allow"),
    live("similarity", DEFAULTS.similarity_rad, "rad; no chunk while all joints moved less; 0: off", (0.0, 3.2)),
    live("overlap", DEFAULTS.overlap, "rows of two chunks: " + ", ".join(OVERLAPS)),
    live("gripper_overlap", "", "the same for the gripper; empty: as overlap"),
    live("cross_fade", DEFAULTS.cross_fade_s, "s; how long cross_fade takes", (0.0, 10.0)),
    live(
        "ensemble_coefficient",
        DEFAULTS.ensemble_coefficient,
        "m of temporal_ensemble: chunk i, 0 the oldest, weighs exp(-m i)",
        (-1.0, 1.0),
    ),
    live("instruction_queue", KEEP, "what the topic instruction does to queued rows: keep, flush"),
    live("request_timeout", DEFAULTS.request_timeout_s, "s; a request older than this is given up", (0.1, 600.0)),
    live("joint_state_timeout", DEFAULTS.joint_state_timeout_s, "s; older joint states: hold", (0.02, 10.0)),
    live(
        "observation_timeout", DEFAULTS.observation_timeout_s, "s; chunks of older observations: refused", (0.05, 600.0)
    ),
    live(
        "input_timeout",
        DEFAULTS.input_timeout_s,
        "s; chunks with an image or joint state so much older than their newest input: refused",
        (0.02, 600.0),
    ),
    live("max_jump", DEFAULTS.max_jump_rad, "rad; a chunk that starts farther away is refused", (0.01, 7.0)),
    live("task_time_limit", 120.0, "s; for RunTask goals that name none", (1.0, 86400.0)),
    live("fault_time_limit", 15.0, "s; a task that has been held this long ends with REASON_FAULT", (0.5, 3600.0)),
)


def executor_settings(values: Mapping[str, Any], grippers: Iterable[str]) -> ExecutorSettings:
    """The core's settings; `grippers` are the joints that gripper_overlap is for. Raises OverlapError and
    QueueRuleError for names that there are not, ModeError for a mode.
    """
    if values["instruction_queue"] not in (KEEP, FLUSH):
        raise QueueRuleError(f"instruction_queue: expected {KEEP} or {FLUSH}, found '{values['instruction_queue']}'")
    grippers = tuple(grippers)
    settings = ExecutorSettings(
        mode=values["mode"],
        n_action_steps=values["n_action_steps"],
        max_slowdown=values["max_slowdown"],
        threshold=values["threshold"],
        auto_threshold=values["auto_threshold"],
        similarity_rad=values["similarity"],
        overlap=values["overlap"],
        joint_overlap=dict.fromkeys(grippers, values["gripper_overlap"] or values["overlap"]),
        cross_fade_s=values["cross_fade"],
        ensemble_coefficient=values["ensemble_coefficient"],
        request_timeout_s=values["request_timeout"],
        joint_state_timeout_s=values["joint_state_timeout"],
        observation_timeout_s=values["observation_timeout"],
        input_timeout_s=values["input_timeout"],
        max_jump_rad=values["max_jump"],
    )
    settings.overlap_of(("an arm's joint", *grippers))
    return settings
