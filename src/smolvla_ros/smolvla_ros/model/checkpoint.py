"""A checkpoint's folder in the public layout, read and written.

    checkpoint = load_checkpoint(folder)        # raises CheckpointError, before any chunk is made
    save_checkpoint(checkpoint, other_folder)   # loads in LeRobot too

config.json, model.safetensors, policy_preprocessor.json, policy_postprocessor.json with their state files, and either
a folder named by `vlm_model_name` with the backbone's config.json and tokenizer, or the tokenizer beside config.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smolvla_ros.model.config import DEFAULT_BACKBONE, SMOLVLM2_500M, BackboneConfig, SmolVLAConfig
from smolvla_ros.model.errors import CheckpointError, mismatch
from smolvla_ros.model.expert import expert_layers
from smolvla_ros.model.json_file import read_json, write_json
from smolvla_ros.model.processors import Processors, read_processors, write_processors
from smolvla_ros.model.smolvla import SmolVLA
from smolvla_ros.model.tokenizer import TOKENIZER_FILE, InstructionTokenizer
from smolvla_ros.model.uninitialised import uninitialised
from smolvla_ros.model.weights import WEIGHTS_FILE, load_weights, read_lm_head, save_weights

CONFIG_FILE = "config.json"
EMBODIMENT_FILE = "embodiment.yaml"


@dataclass(frozen=True)
class Checkpoint:
    """`path` is where it was loaded from, None where it was made in memory."""

    path: Path | None
    model: SmolVLA
    processors: Processors
    tokenizer: InstructionTokenizer

    @property
    def config(self) -> SmolVLAConfig:
        return self.model.config


def load_checkpoint(folder: str | Path, device: str = "cpu") -> Checkpoint:
    """Reads a folder. Raises CheckpointError naming file and field, what was expected and found, and what to do."""
    folder = Path(folder)
    config = load_config(folder)
    load_backbone(folder, config)
    processors = read_processors(folder, config)
    tokenizer_folder = _tokenizer_folder(folder, config)
    tokenizer = InstructionTokenizer.from_folder(tokenizer_folder, processors.max_length, processors.newline)
    model = load_model(folder, device)
    tokenizer.check(model.backbone.text.vocab_size, str(tokenizer_folder / TOKENIZER_FILE))
    if config.add_image_special_tokens:
        model.model.image_token_ids = tokenizer.image_token_ids()
    return Checkpoint(folder, model, processors, tokenizer)


def load_config(folder: Path) -> SmolVLAConfig:
    """The folder's config.json alone. Raises CheckpointError."""
    path = folder / CONFIG_FILE
    return SmolVLAConfig.from_json(read_json(path, "give the folder of a SmolVLA checkpoint"), str(path))


def load_model(folder: str | Path, device: str = "cpu") -> SmolVLA:
    """The model alone, for normalised batches: needs neither tokenizer nor statistics. Raises CheckpointError."""
    folder = Path(folder)
    config = load_config(folder)
    backbone = load_backbone(folder, config)
    expert_layers(config, backbone.text, str(folder / CONFIG_FILE))
    _check_image_size(config, backbone, folder)
    with uninitialised():
        model = SmolVLA(config, backbone)
    load_weights(model, folder / WEIGHTS_FILE)
    return model.to(device).eval().requires_grad_(False)


def load_backbone(folder: Path, config: SmolVLAConfig) -> BackboneConfig:
    """The backbone's size: from the folder that `vlm_model_name` names, or known by name. Raises CheckpointError."""
    name = config.vlm_model_name
    for candidate in (folder / name, Path(name)):
        path = candidate / CONFIG_FILE
        if path.is_file():
            return BackboneConfig.from_json(read_json(path, "use the backbone's own config.json"), str(path))
    if name == DEFAULT_BACKBONE:
        return SMOLVLM2_500M
    raise mismatch(
        f"{folder / CONFIG_FILE}: vlm_model_name",
        f"a folder with a config.json, or {DEFAULT_BACKBONE}",
        name,
        "put the backbone's config.json into a folder of the checkpoint and name that folder",
    )


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path) -> None:
    """Writes the public layout; weights in the types they have. The unused lm_head follows from where it was loaded."""
    folder, config = Path(folder), checkpoint.config
    folder.mkdir(parents=True, exist_ok=True)
    source = checkpoint.path / WEIGHTS_FILE if checkpoint.path else None
    save_weights(checkpoint.model, folder / WEIGHTS_FILE, read_lm_head(source) if source else None)
    write_json(folder / CONFIG_FILE, config.to_json())
    write_processors(folder, checkpoint.processors, config)
    if checkpoint.model.backbone.raw:
        own = folder / config.vlm_model_name
        write_json(own / CONFIG_FILE, dict(checkpoint.model.backbone.raw))
        checkpoint.tokenizer.save(own)
    else:
        checkpoint.tokenizer.save(folder)


def _tokenizer_folder(folder: Path, config: SmolVLAConfig) -> Path:
    candidates = (folder / config.vlm_model_name, folder, Path(config.vlm_model_name))
    for candidate in candidates:
        if (candidate / TOKENIZER_FILE).is_file():
            return candidate
    raise CheckpointError(
        f"{folder}: expected {TOKENIZER_FILE}, found none; copy {TOKENIZER_FILE} and tokenizer_config.json of "
        f"{config.vlm_model_name} into the checkpoint's folder"
    )


def _check_image_size(config: SmolVLAConfig, backbone: BackboneConfig, folder: Path) -> None:
    """Image tokens are blocks of scale_factor^2 patches, and no image may have more patches than the tower knows."""
    side = config.resize_imgs_with_padding[0] if config.resize_imgs_with_padding else backbone.vision.image_size
    block = backbone.vision.patch_size * backbone.scale_factor
    if side % block or side > backbone.vision.image_size:
        raise mismatch(
            f"{folder / CONFIG_FILE}: resize_imgs_with_padding",
            f"a multiple of {block} up to {backbone.vision.image_size}",
            side,
            "use the size that it was trained with",
        )
