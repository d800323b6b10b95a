"""A checkpoint in the public layout, read and written.

    checkpoint = load_checkpoint(folder)                    # raises CheckpointError, before any chunk is made
    checkpoint = load_checkpoint("lerobot/smolvla_base")    # a model of the hub, here or in its cache
    save_checkpoint(checkpoint, other_folder)               # loads in LeRobot too

config.json, model.safetensors, policy_preprocessor.json, policy_postprocessor.json with their state files, and either
a folder named by `vlm_model_name` with the backbone's config.json and tokenizer, or the tokenizer beside config.json.
Shards, adapters and what earlier LeRobot versions wrote are read too, and written in this layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from smolvla_ros.model.checkpoint_files import CONFIG_FILE, CheckpointFiles, find_files
from smolvla_ros.model.config import BackboneConfig, SmolVLAConfig
from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.expert import expert_layers
from smolvla_ros.model.json_file import read_json, write_json
from smolvla_ros.model.processors import Processors, read_processors, write_processors
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.tokenizer import InstructionTokenizer
from smolvla_ros.model.tokenizer_source import find_tokenizer
from smolvla_ros.model.uninitialised import uninitialised
from smolvla_ros.model.weights import (
    DTYPES,
    WEIGHTS_FILE,
    Weights,
    load_weights,
    read_lm_head,
    read_statistics,
    save_weights,
)

EMBODIMENT_FILE, SAMPLER_FILE = "embodiment.yaml", "sampler.json"
BACKBONE_FOLDER = "backbone"


@dataclass(frozen=True)
class Checkpoint:
    """`path` is the folder that it was loaded from, `weights` its files; None where it was made in memory.

    noise_scale: of the noise that a chunk should be made from; LeRobot, which knows of none, takes 1.
    """

    path: Path | None
    model: SmolVLA
    processors: Processors
    tokenizer: InstructionTokenizer
    weights: Weights | None = None
    noise_scale: float = 1.0

    @property
    def config(self) -> SmolVLAConfig:
        return self.model.config


def load_checkpoint(
    source: str | Path,
    device: str = "cpu",
    dtype: str | None = None,
    statistics: str | Path | Sequence[str] = (),
) -> Checkpoint:
    """Reads a folder or a model of the hub. Raises CheckpointError naming file and field, expected, found and remedy.

    dtype: "float32", "bfloat16" or "float16" for all weights; None keeps each in the file's type.
    statistics: names of those to take in place of the checkpoint's own (see statistics_source).
    """
    if dtype is not None and dtype not in DTYPES:
        raise mismatch("dtype", ", ".join(DTYPES), dtype, "name one of them")
    names = [str(statistics)] if isinstance(statistics, str | Path) else list(statistics)
    files = find_files(source)
    config = files.config()
    backbone = files.backbone(config)
    weights = files.weights(config)
    processors = read_processors(files.processor_folder, config, read_statistics(weights), names)
    tokenizer, found_at = find_tokenizer(
        files.folders, config.vlm_model_name, processors.max_length, processors.newline
    )
    tokenizer.check(backbone.text.vocab_size, found_at)
    model = empty_model(files, config, backbone)
    if files.adapter:
        files.adapter.check(weights)
    load_weights(model, weights, files.adapter, dtype)
    if config.add_image_special_tokens:
        model.model.image_token_ids = tokenizer.image_token_ids()
    model = model.to(device).eval().requires_grad_(False)
    return Checkpoint(files.folder, model, processors, tokenizer, weights, _noise_scale(files.folder))


def empty_model(files: CheckpointFiles, config: SmolVLAConfig, backbone: BackboneConfig) -> SmolVLA:
    """Shapes and names without values. Raises CheckpointError where config.json describes no possible model."""
    expert_layers(config, backbone.text, str(files.config_path))
    _check_image_size(config, backbone, files.config_path)
    with uninitialised():
        return SmolVLA(config, backbone)


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path, lm_head: Tensor | None = None) -> None:
    """Writes the public layout; weights in the types they have.

    lm_head: the unused head over the vocabulary, by default the one that lies where the checkpoint was loaded.
    """
    folder, backbone = Path(folder), checkpoint.model.backbone
    config = _self_contained(checkpoint.config, backbone)
    folder.mkdir(parents=True, exist_ok=True)
    if lm_head is None and checkpoint.weights:
        lm_head = read_lm_head(checkpoint.weights)
    save_weights(checkpoint.model, folder / WEIGHTS_FILE, lm_head)
    write_json(folder / CONFIG_FILE, config.to_json())
    write_processors(folder, checkpoint.processors, config)
    if checkpoint.noise_scale != 1.0:
        write_json(folder / SAMPLER_FILE, {"noise_scale": checkpoint.noise_scale})
    if backbone.raw:
        own = folder / config.vlm_model_name
        write_json(own / CONFIG_FILE, dict(backbone.raw))
        checkpoint.tokenizer.save(own)
    else:
        checkpoint.tokenizer.save(folder)


def _noise_scale(folder: Path) -> float:
    path = folder / SAMPLER_FILE
    scale = read_json(path, "correct it or remove the file").get("noise_scale") if path.exists() else 1.0
    if not isinstance(scale, float) or not 0 <= scale <= 1:
        raise mismatch(f"{path}: noise_scale", "a number from 0.0 to 1.0", scale, "correct it or remove the file")
    return scale


def _self_contained(config: SmolVLAConfig, backbone: BackboneConfig) -> SmolVLAConfig:
    """With the backbone's folder inside the checkpoint, and no word of an adapter: what is saved holds it merged."""
    name = Path(config.vlm_model_name)
    outside = bool(backbone.raw) and (name.is_absolute() or ".." in name.parts)
    raw = {**config.raw, "use_peft": False} if config.raw.get("use_peft") else config.raw
    return replace(config, vlm_model_name=BACKBONE_FOLDER if outside else config.vlm_model_name, raw=raw)


def _check_image_size(config: SmolVLAConfig, backbone: BackboneConfig, path: Path) -> None:
    """Image tokens are blocks of scale_factor^2 patches, and no image may have more patches than the tower knows."""
    side = config.resize_imgs_with_padding[0] if config.resize_imgs_with_padding else backbone.vision.image_size
    block = backbone.vision.patch_size * backbone.scale_factor
    if side % block or side > backbone.vision.image_size:
        raise mismatch(
            f"{path}: resize_imgs_with_padding",
            f"a multiple of {block} up to {backbone.vision.image_size}",
            side,
            "use the size that it was trained with",
        )
