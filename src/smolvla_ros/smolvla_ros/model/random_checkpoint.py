"""A small SmolVLA with random weights and its own tokenizer, shaped for one robot: to try the graph, or to train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tokenizers
import torch
from tokenizers import pre_tokenizers, trainers
from torch import Tensor

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.model.checkpoint import BACKBONE_FOLDER, Checkpoint
from smolvla_ros.model.config import ACTION, STATE, BackboneConfig, SmolVLAConfig
from smolvla_ros.model.instructions import instructions
from smolvla_ros.model.joint_statistics import untrained_statistics
from smolvla_ros.model.normalization import Statistics, make_normalizer
from smolvla_ros.model.processors import Processors
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.tokenizer import FAKE_IMAGE_TOKEN, GLOBAL_IMAGE_TOKEN, InstructionTokenizer
from smolvla_ros.model.tokenizer_source import GRID, SETTINGS, byte_level_bpe

BASE_VOCABULARY = 448
BASE_SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
IMAGE_TOKEN, PAD_ID = "<image>", 2
ADDED_TOKENS = (GLOBAL_IMAGE_TOKEN, *GRID, FAKE_IMAGE_TOKEN, IMAGE_TOKEN, "<end_of_utterance>")

SIZES: dict[str, dict[str, Any]] = {
    # the published model's: 450,046,176 parameters with the unused head
    "full": {
        "vision": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
        | {"image_size": 512, "patch_size": 16},
        "text": {"hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 16, "num_attention_heads": 15}
        | {"num_key_value_heads": 5, "head_dim": 64, "vocab_size": 49280},
    },
    # 64 px, 4 tokens a camera: some ten milliseconds a chunk on one core
    "tiny": {
        "vision": {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 3}
        | {"image_size": 64, "patch_size": 8},
        "text": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4}
        | {"num_key_value_heads": 2, "head_dim": 16},
    },
    # 128 px, 16 tokens a camera: enough to learn a task in the simulator
    "small": {
        "vision": {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4}
        | {"image_size": 128, "patch_size": 8},
        "text": {"hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 8, "num_attention_heads": 8}
        | {"num_key_value_heads": 4, "head_dim": 32},
    },
}


def random_checkpoint(embodiment: Embodiment, size: str = "tiny", seed: int = 0) -> Checkpoint:
    """A checkpoint in memory with the robot's cameras and joints; the same seed gives the same weights."""
    cameras = {camera.feature: (camera.height, camera.width) for camera in embodiment.cameras}
    return new_checkpoint(SIZES[size], cameras, untrained_statistics(embodiment), seed)


def new_checkpoint(
    shape: Mapping[str, Any],
    cameras: Mapping[str, tuple[int, int]],
    statistics: Statistics,
    seed: int,
    policy: Mapping[str, Any] | None = None,
    texts: Iterable[str] = (),
    relative: RelativeActions | None = None,
) -> Checkpoint:
    """A checkpoint in memory for states and actions as wide as their statistics. Raises CheckpointError.

    shape: fields of the backbone's vision_config and text_config under "vision" and "text"; "scale_factor" if not 4.
    cameras: feature -> (height, width). policy: fields of config.json that differ from the defaults. texts: what the
    tokenizer shall know besides the usual instructions. relative: actions are offsets, and the statistics of offsets.
    """
    tokenizer = train_tokenizer(texts)
    backbone = BackboneConfig.from_json(_backbone_json(shape, tokenizer), BACKBONE_FOLDER)
    widths = {feature: len(next(iter(statistics[feature].values()))) for feature in (STATE, ACTION)}
    config = SmolVLAConfig.from_json({**_config_json(cameras, widths, backbone), **(policy or {})}, "config.json")
    model = SmolVLA(config, backbone)
    randomise(model, seed)
    processors = Processors(
        rename_map={},
        newline=True,
        max_length=config.tokenizer_max_length,
        state=make_normalizer(config.normalization("STATE"), STATE, widths[STATE], statistics, "statistics"),
        action=make_normalizer(config.normalization("ACTION"), ACTION, widths[ACTION], statistics, "statistics"),
        statistics=statistics,
        relative=relative,
    )
    settings = {**SETTINGS, "eos_token": BASE_SPECIAL_TOKENS[PAD_ID]}
    words = InstructionTokenizer(tokenizer, settings, config.tokenizer_max_length)
    if config.add_image_special_tokens:
        model.model.image_token_ids = words.image_token_ids()
    return Checkpoint(None, model.eval(), processors, words)


def train_tokenizer(texts: Iterable[str] = ()) -> tokenizers.Tokenizer:
    """Byte-level BPE like the published backbone's (digits one by one, any text encodable), a hundredth of its size."""
    tokenizer = byte_level_bpe({}, [])
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_VOCABULARY,
        special_tokens=list(BASE_SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*instructions(), *texts], trainer)
    tokenizer.add_special_tokens(list(ADDED_TOKENS))
    return tokenizer


def randomise(model: SmolVLA, seed: int) -> None:
    """Unit-gain normal matrices, zero biases; tokens of all kinds enter the first layer at size one."""
    generator = torch.Generator().manual_seed(seed)
    width = model.backbone.text.hidden_size

    def draw(shape: torch.Size, deviation: float) -> Tensor:
        return torch.randn(shape, generator=generator) * deviation

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                continue  # norms are made as ones
            gain = width**-0.5 if "connector" in name else 1.0
            fan_in = width if "embed_tokens" in name else int(np.prod(parameter.shape[1:]))
            parameter.copy_(draw(parameter.shape, gain * fan_in**-0.5))
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and name.endswith("bias"):
                parameter.zero_()


def _backbone_json(size: Mapping[str, Any], tokenizer: tokenizers.Tokenizer) -> dict[str, Any]:
    vocab_size = size["text"].get("vocab_size", tokenizer.get_vocab_size())
    text = {"model_type": "llama", "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100000}
    ids = {"pad_token_id": PAD_ID, "vocab_size": vocab_size}
    return {
        "model_type": "smolvlm",
        "image_token_id": tokenizer.token_to_id(IMAGE_TOKEN),
        "scale_factor": size.get("scale_factor", 4),
        "tie_word_embeddings": False,
        **ids,
        "text_config": {**text, **ids, **size["text"]},
        "vision_config": {"model_type": "smolvlm_vision", **size["vision"]},
    }


def _config_json(
    cameras: Mapping[str, tuple[int, int]], widths: Mapping[str, int], backbone: BackboneConfig
) -> dict[str, Any]:
    eyes = {name: {"type": "VISUAL", "shape": [3, *size]} for name, size in cameras.items()}
    return {
        "type": "smolvla",
        "input_features": {**eyes, STATE: {"type": "STATE", "shape": [widths[STATE]]}},
        "output_features": {ACTION: {"type": "ACTION", "shape": [widths[ACTION]]}},
        "device": "cpu",
        "resize_imgs_with_padding": [backbone.vision.image_size] * 2,
        "num_vlm_layers": backbone.text.num_hidden_layers,
        "vlm_model_name": BACKBONE_FOLDER,
        "load_vlm_weights": False,
        "pad_language_to": "longest",
    }
