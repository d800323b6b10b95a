"""What a GPU would replay: the model's three steps trace without a break and compute the same; no GPU is needed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.engines.choice import choose
from smolvla_ros.engines.cuda import compile_steps
from smolvla_ros.model.peer_run import batch_of, random_sample
from smolvla_ros.model.random_checkpoint import random_checkpoint

# traced whole as for a GPU, then run by torch's own operators
TRACED: Callable[..., Any] = partial(torch.compile, fullgraph=True, dynamic=False, backend="eager")


def test_the_steps_trace_whole_and_compute_what_the_model_computes() -> None:
    checkpoint = random_checkpoint(load_embodiment(), "tiny")
    sample = random_sample(checkpoint, seed=0)
    batch, noise = batch_of(checkpoint, sample), torch.from_numpy(sample.noise)
    plain = deepcopy(checkpoint.model)
    plain.model.vlm_with_expert.to(torch.bfloat16)
    expected = plain.predict_action_chunk(batch, noise)
    compile_steps(checkpoint.model, TRACED)
    for _ in range(2):
        found = checkpoint.model.predict_action_chunk(batch, noise)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_gpu_chunks_are_the_models_within_bfloat16() -> None:
    checkpoint = random_checkpoint(load_embodiment(), "tiny")
    sample = random_sample(checkpoint, seed=0)
    batch = {name: value.cuda() for name, value in batch_of(checkpoint, sample).items()}
    noise = torch.from_numpy(sample.noise)
    expected = checkpoint.model.cuda().predict_action_chunk(batch, noise)
    choose("cuda-bf16", "cuda", checkpoint.model).prepare(checkpoint.model)
    for _ in range(2):
        found = checkpoint.model.predict_action_chunk(batch, noise)
    assert (found - expected).abs().mean() / expected.std() < 0.02
