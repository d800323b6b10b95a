"""How a policy samples its chunks."""

from __future__ import annotations

from dataclasses import dataclass

CHUNKING = ("off", "guided", "trained")


@dataclass(frozen=True)
class SamplerSettings:
    """num_steps: of flow matching; 0: the checkpoint's. seed: of the noise. noise_scale: its size, 1 as in training, 0
    for none, which gives one chunk an observation, in the middle of those that it could be; below 0: the checkpoint's.

    real_time_chunking: what holds a new chunk to the rows under way: "off", nothing; "guided", guidance in every step
    (arXiv 2506.07339 as LeRobot computes it); "trained", those rows themselves, for checkpoints trained to go on from
    them (arXiv 2512.05964). time_limit_s: for a chunk; fewer steps where all would take longer; 0: none.
    """

    num_steps: int = 0
    seed: int = 0
    real_time_chunking: str = "off"
    time_limit_s: float = 0.0
    noise_scale: float = -1.0

    def __post_init__(self) -> None:
        if self.num_steps < 0:
            raise ValueError(f"num_steps: expected 0 or a whole number above it, found {self.num_steps}")
        if self.real_time_chunking not in CHUNKING:
            expected = ", ".join(CHUNKING)
            raise ValueError(f"real_time_chunking: expected one of {expected}, found '{self.real_time_chunking}'")
        if not -1 <= self.noise_scale <= 1:
            raise ValueError(f"noise_scale: expected 0 to 1, or -1 for the checkpoint's, found {self.noise_scale}")
        if not 0 <= self.time_limit_s < float("inf"):
            raise ValueError(f"time_limit_s: expected seconds, 0 for none, found {self.time_limit_s}")


DEFAULT = SamplerSettings()
