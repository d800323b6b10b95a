"""What is compared with LeRobot: cameras, words, frames, batches, and the shapes that a checkpoint may have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.config import BackboneConfig, Feature
from smolvla_ros.model.flow_matching import FlowMatching
from smolvla_ros.model.peer_run import INSTRUCTION, Sample
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.model.real_time_chunking import Guidance
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.uninitialised import uninitialised

CAMERAS = tuple(f"observation.images.camera{i + 1}" for i in range(3))
LONG = " ".join([INSTRUCTION] * 12)
GUIDED_ROWS, GUIDED_DELAY, GUIDED_HORIZON = 30, 5, 20


@dataclass(frozen=True)
class Case:
    """config goes over the base checkpoint's, whose language layers are taken `layers_factor` times.

    cameras: places in CAMERAS that the batch has; masked: those that the first sample lacks all the same.
    frame: (height, width). expert_share: that part of the language layers has expert layers. relative: actions are
    offsets from the state, but for the gripper's.
    """

    name: str
    cameras: tuple[int, ...] = (0, 1)
    masked: tuple[int, ...] = ()
    frame: tuple[int, int] = (480, 640)
    instructions: tuple[str, ...] = (INSTRUCTION,)
    guided: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    layers_factor: int = 1
    expert_share: int = 1
    relative: bool = False

    @property
    def shape(self) -> tuple[object, ...]:
        """Cases of one shape can run on one checkpoint."""
        return tuple(self.config.items()), self.layers_factor, self.expert_share, self.relative


CASES = (
    Case("one camera", cameras=(0,)),
    Case("two cameras"),
    Case("three cameras", cameras=(0, 1, 2)),
    Case("the second camera missing", cameras=(0, 2)),
    Case("the first camera masked", cameras=(0, 1, 2), masked=(0,)),
    Case("one word", instructions=("go",)),
    Case("48 tokens, cut", instructions=(LONG,)),
    Case("a batch of two", instructions=("pick up the pen", INSTRUCTION), masked=(1,)),
    Case("frames of 512 x 512", frame=(512, 512)),
    Case("frames of 333 x 777", frame=(333, 777)),
    Case("guided by the previous chunk", guided=True),
    Case("an empty camera", config={"empty_cameras": 1}),
    Case("self-attention only", config={"attention_mode": "self_attn"}),
    Case("half the expert layers, crossing", config={"self_attn_every_n_layers": 0}, expert_share=2),
    Case("twice the language layers", layers_factor=2),
    Case("relative actions", relative=True),
)


def checkpoint_of(case: Case, size: str, seed: int) -> Checkpoint:
    """A checkpoint of the case's shape. Its float32 values survive a cast to the published types unchanged."""
    base = random_checkpoint(load_embodiment(), size, seed)
    backbone = _deeper(base.model.backbone, case.layers_factor)
    layers = backbone.text.num_hidden_layers
    others = tuple(feature for feature in base.config.input_features if feature.type != "VISUAL")
    config = replace(
        base.config,
        input_features=(*(Feature(name, "VISUAL", (3, 480, 640)) for name in CAMERAS), *others),
        num_vlm_layers=layers,
        num_expert_layers=layers // case.expert_share,
        **case.config,
    )
    with uninitialised():
        model = SmolVLA(config, backbone)
    drawn, known = torch.Generator().manual_seed(seed), base.model.state_dict()
    cast = set(published_bfloat16(model))
    tensors = {}
    for name, place in model.state_dict().items():
        tensor = known.pop(name, None)
        if tensor is None or tensor.shape != place.shape:
            tensor = torch.randn(place.shape, generator=drawn) * (place[0].numel() ** -0.5 if place.ndim > 1 else 0.0)
        if tensor.ndim == 1:  # norms away from one and biases from zero, so that a forgotten one shows
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            tensor = centre + 0.1 * torch.randn(tensor.shape, generator=drawn)
        tensors[name] = tensor.bfloat16().float() if name in cast else tensor
    model.load_state_dict(tensors, assign=True)
    names = tuple(f"{name}.pos" for name in load_embodiment().joint_names)
    relative = RelativeActions(("gripper",), names) if case.relative else None
    processors = replace(base.processors, relative=relative)
    return replace(base, model=model.eval().requires_grad_(False), processors=processors)


def sample_of(case: Case, checkpoint: Checkpoint, seed: int) -> Sample:
    """Frames, states about the statistics' centre, the case's words, noise, and what is left of a previous chunk."""
    random, config, batch = np.random.default_rng(seed), checkpoint.config, len(case.instructions)
    centre, spread = (values.numpy() for values in checkpoint.processors.state.centre_and_spread())
    previous = torch.from_numpy(random.standard_normal((batch, GUIDED_ROWS, config.action_dim)).astype(np.float32))
    names = [CAMERAS[index] for index in case.cameras]
    present = [[not (index in case.masked and row == 0) for row in range(batch)] for index in case.cameras]
    return Sample(
        images={name: random.random((batch, 3, *case.frame), dtype=np.float32) for name in names},
        state=(centre + spread * random.standard_normal((batch, config.state_dim))).astype(np.float32),
        instruction=case.instructions,
        noise=random.standard_normal((batch, config.chunk_size, config.max_action_dim)).astype(np.float32),
        masks=dict(zip(names, map(np.array, present), strict=True)) if case.masked else {},
        guidance=Guidance(previous, GUIDED_DELAY, GUIDED_HORIZON) if case.guided else None,
    )


def published_bfloat16(model: SmolVLA) -> list[str]:
    """The tensors that published checkpoints hold as bfloat16: all but the five projections and what crosses."""
    flow: FlowMatching = model.model
    crossing = tuple(
        f"lm_expert.layers.{layer.index}.self_attn.{part}_proj.weight"
        for layer in flow.expert.plan
        if layer.crosses
        for part in "kv"
    )
    return [name for name in model.state_dict() if "vlm_with_expert" in name and not name.endswith(crossing)]


def cast_as_published(model: SmolVLA) -> None:
    names = set(published_bfloat16(model))
    for name, parameter in model.named_parameters():
        if name in names:
            parameter.data = parameter.data.bfloat16()


def _deeper(backbone: BackboneConfig, factor: int) -> BackboneConfig:
    layers = backbone.text.num_hidden_layers * factor
    text = {**backbone.raw["text_config"], "num_hidden_layers": layers}
    raw = {**backbone.raw, "text_config": text}
    return replace(backbone, text=replace(backbone.text, num_hidden_layers=layers), raw=raw)
