from __future__ import annotations

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.interface import Chunk, Observation
from smolvla_ros.policies.scripted import ScriptedPolicy
from smolvla_ros.runtime.word_swap import word_swap

ROBOT = load_embodiment()
SEEDS = range(3000, 3008)


class DeafPolicy(ScriptedPolicy):
    """Goes to the red cube whatever is said."""

    def infer(self, observation: Observation) -> Chunk:
        return super().infer(Observation(**{**vars(observation), "instruction": "put the red cube in the red box"}))


def test_a_policy_that_follows_the_word_is_told_from_one_that_does_not() -> None:
    hears, deaf = (word_swap(policy, ROBOT, SEEDS) for policy in (ScriptedPolicy(ROBOT), DeafPolicy(ROBOT)))
    assert (hears["named_share"], hears["aligned_share"], hears["off_mm"]) == (1.0, 1.0, 0.0)
    assert hears["shift_mm"] == hears["scripted_shift_mm"] > 20
    assert (deaf["named_share"], deaf["aligned_share"], deaf["shift_mm"]) == (0.5, 0.0, 0.0)
    assert deaf["scripted_shift_mm"] == pytest.approx(hears["scripted_shift_mm"])
    assert np.isfinite(list(deaf.values())).all()
