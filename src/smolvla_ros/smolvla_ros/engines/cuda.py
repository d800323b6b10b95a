"""The engine for NVIDIA GPUs: bfloat16, the three heavy steps compiled to fused kernels and replayed as CUDA graphs.

What is compiled is the model's own code: image tokens, the language model's pass over the prefix, and the velocity of a
denoising step, each without a break. The first chunk takes as long as compiling them does, once for each number of
cameras and of words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from smolvla_ros.model.smolvla import SmolVLA

Compile = Callable[[Callable[..., Any]], Callable[..., Any]]


def with_cuda_graphs(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, fullgraph=True, dynamic=False, mode="max-autotune")


def compile_steps(model: SmolVLA, compile_step: Compile = with_cuda_graphs) -> None:
    """Casts backbone and expert to bfloat16 and replaces the model's three steps by compiled ones, for inference only.

    A graph's results lie where its next replay writes, so those that outlive it, image tokens and the language model's
    keys and values, are copied.
    """
    flow = model.model
    flow.vlm_with_expert.to(torch.bfloat16)
    text_model = flow.backbone.text_model
    embed_images, read_prefix = compile_step(flow.embed_images), compile_step(text_model.forward)

    def image_tokens(images: Tensor) -> Tensor:
        return embed_images(images).clone()

    def keys_and_values(*prefix: Tensor) -> list[tuple[Tensor, Tensor]]:
        return [(keys.clone(), values.clone()) for keys, values in read_prefix(*prefix)]

    flow.embed_images = image_tokens  # type: ignore[method-assign]
    text_model.forward = keys_and_values  # type: ignore[method-assign,assignment]
    flow.velocity = compile_step(flow.velocity)  # type: ignore[method-assign]
