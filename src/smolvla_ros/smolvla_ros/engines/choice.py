"""The engines by name, and which one "auto" takes: the fastest that is as exact as the checkpoint's own types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from smolvla_ros.engines.errors import AUTO, EngineError
from smolvla_ros.engines.packed_linear import PackedLinear, has_onednn
from smolvla_ros.model.smolvla import SmolVLA


@dataclass(frozen=True)
class Engine:
    """`prepare` changes a model in place, for inference only; `device` is the type of device that it runs on."""

    name: str
    device: str
    summary: str
    prepare: Callable[[SmolVLA], None]


def _as_loaded(model: SmolVLA) -> None:
    """PyTorch's own operators in the checkpoint's types: the reference, on any device, and the one that can train."""


def _float32(model: SmolVLA) -> None:
    from smolvla_ros.engines.cpu import pack

    linear = partial(PackedLinear, dtype=torch.float32)
    pack(model, linear, linear)


def _bfloat16(model: SmolVLA) -> None:
    from smolvla_ros.engines.cpu import pack

    linear = partial(PackedLinear, dtype=torch.bfloat16)
    pack(model, linear, linear)


def _int8(model: SmolVLA) -> None:
    from smolvla_ros.engines.cpu import pack
    from smolvla_ros.engines.quantised_linear import QuantisedLinear

    pack(model, QuantisedLinear, partial(PackedLinear, dtype=torch.bfloat16))


def _cuda(model: SmolVLA) -> None:
    from smolvla_ros.engines.cuda import compile_steps

    compile_steps(model)


REFERENCE = Engine("torch", "any", "PyTorch's operators in the checkpoint's types: the reference", _as_loaded)
FLOAT32 = Engine("cpu-fp32", "cpu", "float32 by oneDNN and this project's kernels", _float32)
BFLOAT16 = Engine("cpu-bf16", "cpu", "bfloat16 products, float32 between layers", _bfloat16)
INT8 = Engine("cpu-int8", "cpu", "int8 products in vision encoder and language model, bfloat16 in the expert", _int8)
CUDA = Engine("cuda-bf16", "cuda", "bfloat16, compiled, replayed as CUDA graphs; never run on a GPU yet", _cuda)
ENGINES = {engine.name: engine for engine in (REFERENCE, FLOAT32, BFLOAT16, INT8, CUDA)}


def choose(name: str, device: str, model: SmolVLA) -> Engine:
    """The engine called `name`; for "auto" by device, processor and the types of the weights. Raises EngineError.

    On a GPU "auto" is the reference: the other has been traced but never run there, and is there by name.
    """
    kind = torch.device(device).type
    if name == AUTO:
        if kind != "cpu":
            return REFERENCE
        in_bfloat16 = model.model.expert.layers[0].mlp.gate_proj.weight.dtype is torch.bfloat16
        if in_bfloat16 and multiplies_bfloat16():
            return BFLOAT16
        return FLOAT32 if has_onednn() else REFERENCE
    fitting = [engine.name for engine in ENGINES.values() if engine.device in ("any", kind)]
    if name not in fitting:
        raise EngineError(f"engine: expected {AUTO} or one of {', '.join(fitting)} on device {device}, found '{name}'")
    return ENGINES[name]


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it; elsewhere bfloat16 is slower than float32."""
    return has_onednn() and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
