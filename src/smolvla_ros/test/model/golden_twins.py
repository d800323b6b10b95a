"""Small SmolVLAs whose weights and inputs follow from seeds, so that two implementations can be given the same ones.

numpy's RandomState streams are frozen; each tensor is drawn by its own name, so the order of a state dict is no matter.
Needs numpy alone: the peer's environment imports this file too.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TEXT = {
    "model_type": "llama",
    "hidden_size": 48,
    "head_dim": 8,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "num_hidden_layers": 6,
    "vocab_size": 128,
    "rms_norm_eps": 1e-5,
}
VISION = {
    "model_type": "smolvlm_vision",
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 64,
    "patch_size": 8,
}
TOP = {"scale_factor": 4, "vocab_size": 128, "image_token_id": 100}
IMAGE_TOKEN_IDS = (99, 62)
STATE_DIM = ACTION_DIM = 6
BASE_CONFIG = {
    "num_vlm_layers": 4,
    "resize_imgs_with_padding": [64, 64],
    "chunk_size": 12,
    "n_action_steps": 12,
    "num_expert_layers": 0,
    "prefix_length": 0,
    "pad_language_to": "max_length",
}


@dataclass(frozen=True)
class Guided:
    """LeRobot's real-time chunking with `rows` rows of `width` numbers left of the previous chunk; 0: a first chunk."""

    delay: int = 3
    horizon: int = 8
    schedule: str = "linear"
    max_weight: float = 10.0
    rows: int = 9
    width: int = 6


@dataclass(frozen=True)
class Twin:
    """`config` goes over BASE_CONFIG. Of `cameras`, `missing` are not in the batch, `masked` are masked in sample 0.

    published_types: bfloat16 but for the five projections and the crossing layers' k and v, as in the published file.
    """

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    vision: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] = field(default_factory=dict)
    cameras: int = 2
    missing: tuple[int, ...] = ()
    masked: tuple[int, ...] = ()
    batch: int = 1
    tokens: int = 20
    valid: tuple[int, ...] = (7,)
    image: tuple[int, int] = (48, 64)
    loss: bool = False
    published_types: bool = False
    guided: Guided | None = None


TWINS = (
    Twin("two_cameras", loss=True),
    Twin("one_camera", cameras=1, valid=(1,), tokens=1),
    Twin("three_cameras_48_words", cameras=3, valid=(48,), tokens=48, image=(90, 70)),
    Twin("first_camera_masked", cameras=3, masked=(0,)),
    Twin("missing_camera", cameras=3, missing=(1,)),
    Twin("empty_camera", cameras=2, missing=(1,), config={"empty_cameras": 1}),
    Twin("batch_of_two", batch=2, valid=(3, 11), masked=(1,), loss=True),
    Twin("self_attention_only", config={"attention_mode": "self_attn"}, loss=True),
    Twin("cross_attention_only", config={"self_attn_every_n_layers": 0}),
    Twin("self_attention_every_third", config={"self_attn_every_n_layers": 3}),
    Twin(
        "half_the_expert_layers", config={"num_expert_layers": 2, "self_attn_every_n_layers": 4}, batch=2, valid=(5, 2)
    ),
    Twin("all_language_layers", config={"num_vlm_layers": 0}),
    Twin("long_prefix", config={"prefix_length": 64}),
    Twin("image_special_tokens", config={"add_image_special_tokens": True}, cameras=2, masked=(1,)),
    Twin(
        "other_widths", config={"expert_width_multiplier": 0.5, "max_action_dim": 9, "max_state_dim": 7, "num_steps": 4}
    ),
    Twin("images_smaller_than_the_tower", config={"resize_imgs_with_padding": [32, 32]}),
    Twin(
        "seven_patches_a_side",
        vision={"image_size": 56, "patch_size": 8},
        config={"resize_imgs_with_padding": [32, 32]},
    ),
    Twin("published_types", published_types=True),
    Twin("published_types_batch", published_types=True, batch=2, valid=(3, 11), masked=(1,)),
    Twin("as_many_key_heads", text={"num_key_value_heads": 6}),
    Twin("batch_of_three", cameras=3, batch=3, valid=(1, 20, 9), masked=(0, 2), loss=True),
    Twin("chunk_of_fifty", config={"chunk_size": 50, "n_action_steps": 50}, loss=True),
    Twin("chunk_of_ten", config={"chunk_size": 10, "n_action_steps": 1}, loss=True),
    Twin("one_step", config={"num_steps": 1}),
    Twin("expert_as_wide_as_the_backbone", config={"expert_width_multiplier": 1.0}, loss=True),
    Twin("half_the_expert_layers_crossing", config={"num_expert_layers": 2, "self_attn_every_n_layers": 0}),
    Twin("a_third_of_all_layers", config={"num_vlm_layers": 0, "num_expert_layers": 2, "self_attn_every_n_layers": 0}),
    Twin("guided_linear", guided=Guided()),
    Twin("guided_exp", guided=Guided(schedule="exp"), batch=2, valid=(3, 11)),
    Twin("guided_ones", guided=Guided(schedule="ones", max_weight=5.0)),
    Twin("guided_zeros", guided=Guided(schedule="zeros", delay=5)),
    Twin("guided_by_a_whole_chunk", guided=Guided(rows=12, width=32, horizon=12)),
    Twin("guided_by_fewer_rows_than_the_horizon", guided=Guided(rows=5, horizon=10)),
    Twin("guided_by_fewer_rows_than_the_delay", guided=Guided(rows=2, delay=4)),
    Twin("guided_by_nothing", guided=Guided(rows=0)),
    Twin("guided_without_delay", guided=Guided(delay=0, schedule="exp")),
    Twin("guided_in_four_steps", guided=Guided(max_weight=4.0), config={"num_steps": 4}),
    Twin("guided_chunk_of_fifty", guided=Guided(7, 25, rows=43), config={"chunk_size": 50, "n_action_steps": 50}),
    Twin("guided_published_types", guided=Guided(), published_types=True),
)


def camera_names(twin: Twin) -> list[str]:
    return [f"observation.images.camera{i + 1}" for i in range(twin.cameras)]


def config_of(twin: Twin) -> dict[str, Any]:
    """config.json of a twin, without the fields that are left at their defaults."""
    cameras = {name: {"type": "VISUAL", "shape": [3, 480, 640]} for name in camera_names(twin)}
    return {
        "type": "smolvla",
        "input_features": {**cameras, "observation.state": {"type": "STATE", "shape": [STATE_DIM]}},
        "output_features": {"action": {"type": "ACTION", "shape": [ACTION_DIM]}},
        **BASE_CONFIG,
        **twin.config,
    }


def backbone_of(twin: Twin) -> dict[str, Any]:
    """The backbone's config.json."""
    return {
        "model_type": "smolvlm",
        **TOP,
        "text_config": {**TEXT, **twin.text},
        "vision_config": {**VISION, **twin.vision},
    }


def is_bfloat16(name: str) -> bool:
    """Whether a tensor of a twin with published_types (and layers crossing in turn) is bfloat16."""
    crossing = "lm_expert" in name and any(f"layers.{i}.self_attn.{p}_proj" in name for i in (1, 3) for p in "kv")
    return "vlm_with_expert" in name and not crossing


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 values of a tensor: norms about one, biases small, matrices at unit gain."""
    draw = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if "norm" in name and name.endswith("weight"):
        return (1 + 0.1 * draw).astype(np.float32)
    if len(shape) == 1:
        return (0.1 * draw).astype(np.float32)
    fan_in = 1 if "embed" in name and "patch" not in name else int(np.prod(shape[1:]))
    return (draw / np.sqrt(fan_in)).astype(np.float32)


def inputs_of(twin: Twin) -> dict[str, np.ndarray]:
    """A batch in the public key names, and `noise`; `time` and `action`s with padding for twins that train."""
    random = np.random.RandomState(zlib.crc32(twin.name.encode()))
    batch: dict[str, np.ndarray] = {}
    for index, name in enumerate(camera_names(twin)):
        if index in twin.missing:
            continue
        batch[name] = random.uniform(size=(twin.batch, 3, *twin.image)).astype(np.float32)
        if twin.masked:
            batch[f"{name}_padding_mask"] = np.array([not (index in twin.masked and b == 0) for b in range(twin.batch)])
    batch["observation.state"] = random.standard_normal((twin.batch, STATE_DIM)).astype(np.float32)
    batch["observation.language.tokens"] = random.randint(0, 98, (twin.batch, twin.tokens)).astype(np.int64)
    batch["observation.language.attention_mask"] = np.arange(twin.tokens) < np.array(twin.valid)[:, None]
    chunk, width = config_of(twin)["chunk_size"], config_of(twin).get("max_action_dim", 32)
    batch["noise"] = random.standard_normal((twin.batch, chunk, width)).astype(np.float32)
    if twin.loss:
        batch["time"] = random.uniform(0.01, 1.0, twin.batch).astype(np.float32)
        batch["action"] = random.standard_normal((twin.batch, chunk, ACTION_DIM)).astype(np.float32)
        batch["action_is_pad"] = np.arange(chunk) >= np.array([chunk - 3] * twin.batch)[:, None]
    return batch


def previous_of(twin: Twin) -> np.ndarray | None:
    """What is left of the previous chunk, (batch, rows, width); None without guidance or rows."""
    if twin.guided is None or not twin.guided.rows:
        return None
    random = np.random.RandomState(zlib.crc32(f"{twin.name} previous".encode()))
    return random.standard_normal((twin.batch, twin.guided.rows, twin.guided.width)).astype(np.float32)
