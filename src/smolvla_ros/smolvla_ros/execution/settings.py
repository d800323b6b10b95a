"""What an operator may choose of the executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from smolvla_ros.execution.overlap import Overlap

ASYNC, SYNC = "async", "sync"
MODES = (ASYNC, SYNC)


class ModeError(ValueError):
    """A mode that there is not. The message names those that there are."""


@dataclass(frozen=True)
class ExecutorSettings:
    """Times in s. Raises ModeError, OverlapError.

    mode: async, or sync as the paper's baseline: a chunk is asked for when the queue is empty and the arm rests, and
    its first n_action_steps rows (LeRobot's name; 0: all) are executed from its arrival on.
    max_slowdown: how many times slower than made for rows may be executed where chunks come too slowly.
    threshold: g of the paper; with auto_threshold until latencies are measured. similarity_rad: a chunk is not asked
    for while every joint is closer than this to where it was at the last request, unless the queue is dry; 0: off.
    input_timeout_s: how much older than the newest input of its observation an image or joint state may be.
    max_jump_rad: how far a chunk's first row may lie from where the arm is. overlap: the rule for rows of two chunks,
    and joint_overlap that of single joints, by name.
    """

    mode: str = ASYNC
    n_action_steps: int = 0
    max_slowdown: float = 2.0
    threshold: float = 0.7
    auto_threshold: bool = False
    similarity_rad: float = 0.0
    request_timeout_s: float = 5.0
    joint_state_timeout_s: float = 0.3
    observation_timeout_s: float = 5.0
    input_timeout_s: float = 1.0
    max_jump_rad: float = 1.0
    latency_quantile: float = 0.95
    overlap: str = "cross_fade"
    joint_overlap: Mapping[str, str] = field(default_factory=dict)
    cross_fade_s: float = 0.5
    ensemble_coefficient: float = 0.01

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ModeError(f"mode: expected one of {', '.join(MODES)}, found '{self.mode}'")

    def overlap_of(self, names: tuple[str, ...]) -> Overlap:
        """Raises OverlapError for a rule that there is not."""
        rules = tuple(self.joint_overlap.get(name, self.overlap) for name in names)
        return Overlap(rules, self.cross_fade_s, self.ensemble_coefficient)
