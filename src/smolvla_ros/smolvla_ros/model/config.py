"""What a checkpoint's config.json says: SmolVLA's own fields, and the size of the backbone that it names.

A config of any age is read: fields it lacks take LeRobot's defaults, fields unknown here are kept and written back.
Field names are the public layout's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from smolvla_ros.model.errors import CheckpointError, mismatch

NORMALIZATION_MODES = ("IDENTITY", "MEAN_STD", "MIN_MAX", "QUANTILES", "QUANTILE10")
STATE, ACTION = "observation.state", "action"
DEFAULT_BACKBONE = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"
EXPERT_MLP_MULTIPLE = 256
OBJECTIVES = ("flow_matching", "regression")
OWN_FIELDS = ("objective", "rtc_training_max_delay", "causal_action_attention_mask", "state_to_prefix")

Section = TypeVar("Section")


@dataclass(frozen=True)
class VisionConfig:
    """The SigLIP tower. Defaults are those of the public config class, which published files leave out."""

    hidden_size: int = 1152
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 16
    image_size: int = 224
    patch_size: int = 32
    layer_norm_eps: float = 1e-6


@dataclass(frozen=True)
class TextConfig:
    """The Llama blocks. num_key_value_heads and head_dim are 0 where a file leaves them to be derived."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    vocab_size: int
    num_key_value_heads: int = 0
    head_dim: int = 0
    rms_norm_eps: float = 1e-6


@dataclass(frozen=True)
class BackboneConfig:
    """The vision-language model that SmolVLA starts from. `raw` is its config.json as read."""

    text: TextConfig
    vision: VisionConfig
    scale_factor: int = 2
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any], where: str) -> BackboneConfig:
        """Reads a SmolVLM config.json. Raises CheckpointError naming `where` and the field."""
        for section in ("text_config", "vision_config"):
            if not isinstance(raw.get(section), Mapping):
                raise mismatch(
                    f"{where}: {section}", "a mapping", raw.get(section), "use the backbone's own config.json"
                )
        text = _read(TextConfig, raw["text_config"], f"{where}: text_config")
        for unsupported in ("attention_bias", "mlp_bias"):
            if raw["text_config"].get(unsupported):
                raise mismatch(f"{where}: text_config.{unsupported}", "false", True, "use a SmolVLM backbone")
        text = TextConfig(
            **{
                **{f.name: getattr(text, f.name) for f in fields(text)},
                "num_key_value_heads": text.num_key_value_heads or text.num_attention_heads,
                "head_dim": text.head_dim or text.hidden_size // text.num_attention_heads,
            }
        )
        scale = raw.get("scale_factor", 2)
        config = cls(text, _read(VisionConfig, raw["vision_config"], f"{where}: vision_config"), scale, dict(raw))
        config._check(where)
        return config

    def _check(self, where: str) -> None:
        text, vision = self.text, self.vision
        for section, config in (("text_config", text), ("vision_config", vision)):
            for f in fields(config):
                if getattr(config, f.name) <= 0:
                    raise mismatch(
                        f"{where}: {section}.{f.name}", "a number above 0", getattr(config, f.name), "correct it"
                    )
        if not isinstance(self.scale_factor, int) or self.scale_factor < 1:
            raise mismatch(f"{where}: scale_factor", "a whole number above 0", self.scale_factor, "correct it")
        if text.num_attention_heads % text.num_key_value_heads:
            raise mismatch(
                f"{where}: text_config.num_key_value_heads",
                f"a divisor of num_attention_heads {text.num_attention_heads}",
                text.num_key_value_heads,
                "correct it",
            )
        if text.head_dim % 2:
            raise mismatch(f"{where}: text_config.head_dim", "an even number", text.head_dim, "correct it")
        if vision.hidden_size % vision.num_attention_heads:
            raise mismatch(
                f"{where}: vision_config.num_attention_heads",
                f"a divisor of hidden_size {vision.hidden_size}",
                vision.num_attention_heads,
                "correct it",
            )


@dataclass(frozen=True)
class Feature:
    """One input or output of the policy. `type` is VISUAL, STATE or ACTION; `shape` of a camera is information only."""

    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SmolVLAConfig:
    """The fields of config.json that shape the model or its inputs. `raw` is the whole file, written back on saving.

    Some are this project's own. objective: what the expert is trained for. rtc_training_max_delay: the most clean rows
    that it was trained to continue (0: none). Two more of the paper's ablations, named as in its authors' code:
    causal_action_attention_mask, whether an action sees earlier ones alone; state_to_prefix, whether the language model
    or the expert reads the state. LeRobot refuses a file with any of them, so they stand there only if used.
    """

    input_features: tuple[Feature, ...] = ()
    output_features: tuple[Feature, ...] = ()
    normalization_mapping: Mapping[str, str] = field(
        default_factory=lambda: {"VISUAL": "IDENTITY", "STATE": "MEAN_STD", "ACTION": "MEAN_STD"}
    )
    chunk_size: int = 50
    n_action_steps: int = 50
    max_state_dim: int = 32
    max_action_dim: int = 32
    resize_imgs_with_padding: tuple[int, int] | None = (512, 512)
    empty_cameras: int = 0
    tokenizer_max_length: int = 48
    num_steps: int = 10
    vlm_model_name: str = DEFAULT_BACKBONE
    add_image_special_tokens: bool = False
    attention_mode: str = "cross_attn"
    prefix_length: int = -1
    num_expert_layers: int = -1
    num_vlm_layers: int = 16
    self_attn_every_n_layers: int = 2
    expert_width_multiplier: float = 0.75
    min_period: float = 4e-3
    max_period: float = 4.0
    objective: str = "flow_matching"
    rtc_training_max_delay: int = 0
    causal_action_attention_mask: bool = True
    state_to_prefix: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any], where: str) -> SmolVLAConfig:
        """Reads a config.json. Raises CheckpointError naming `where` and the field."""
        if not isinstance(raw, Mapping) or raw.get("type", "smolvla") != "smolvla":
            found = raw.get("type") if isinstance(raw, Mapping) else type(raw).__name__
            raise mismatch(f"{where}: type", "smolvla", found, "give the folder of a SmolVLA checkpoint")
        values = {
            name: raw[name]
            for name in (f.name for f in fields(cls))
            if name in raw and name not in ("input_features", "output_features", "normalization_mapping", "raw")
        }
        if isinstance(values.get("resize_imgs_with_padding"), list):
            values["resize_imgs_with_padding"] = tuple(values["resize_imgs_with_padding"])
        mapping = raw.get("normalization_mapping")
        if mapping is not None:
            values["normalization_mapping"] = _normalization_mapping(mapping, where)
        features = {
            name: _features(raw.get(name), f"{where}: {name}") for name in ("input_features", "output_features")
        }
        config = _read(cls, {**values, **features, "raw": dict(raw)}, where)
        config._check(where, raw)
        return config

    def to_json(self) -> dict[str, Any]:
        """The file's own fields with this object's values over them."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "raw"}
        known["resize_imgs_with_padding"] = list(self.resize_imgs_with_padding or ()) or None
        known["normalization_mapping"] = dict(self.normalization_mapping)
        for name in ("input_features", "output_features"):
            known[name] = {f.name: {"type": f.type, "shape": list(f.shape)} for f in getattr(self, name)}
        unused = {f.name for f in fields(self) if f.name in OWN_FIELDS and getattr(self, f.name) == f.default}
        return {name: value for name, value in {"type": "smolvla", **self.raw, **known}.items() if name not in unused}

    @property
    def camera_features(self) -> tuple[str, ...]:
        """Names of the cameras in the order of their tokens; the last `empty_cameras` may be stand-ins."""
        return tuple(f.name for f in self.input_features if f.type == "VISUAL")

    @property
    def state_dim(self) -> int:
        return next(f.shape[0] for f in self.input_features if f.name == STATE)

    @property
    def action_dim(self) -> int:
        return next(f.shape[0] for f in self.output_features if f.name == ACTION)

    def normalization(self, feature_type: str) -> str:
        return self.normalization_mapping.get(feature_type, "IDENTITY")

    def _check(self, where: str, raw: Mapping[str, Any]) -> None:
        for name in (
            "chunk_size",
            "n_action_steps",
            "max_state_dim",
            "max_action_dim",
            "tokenizer_max_length",
            "num_steps",
        ):
            if getattr(self, name) < 1:
                raise mismatch(f"{where}: {name}", "a whole number above 0", getattr(self, name), "correct it")
        if self.n_action_steps > self.chunk_size:
            raise mismatch(
                f"{where}: n_action_steps", f"at most chunk_size {self.chunk_size}", self.n_action_steps, "correct it"
            )
        if self.objective not in OBJECTIVES:
            raise mismatch(f"{where}: objective", "one of " + ", ".join(OBJECTIVES), self.objective, "correct it")
        delay, expected = self.rtc_training_max_delay, f"from 0 to below chunk_size {self.chunk_size}"
        if not 0 <= delay < self.chunk_size:
            raise mismatch(f"{where}: rtc_training_max_delay", expected, delay, "correct it")
        if delay and self.objective == "regression":
            raise mismatch(f"{where}: rtc_training_max_delay", "0 with objective regression", delay, "correct it")
        for name in ("adapt_to_pi_aloha", "use_delta_joint_actions_aloha"):
            if raw.get(name):
                raise mismatch(f"{where}: {name}", "false", True, "that is for two-armed ALOHA robots only")
        if not 0 < self.min_period < self.max_period:
            raise mismatch(
                f"{where}: min_period", f"between 0 and max_period {self.max_period}", self.min_period, "correct it"
            )
        size = self.resize_imgs_with_padding
        square = isinstance(size, tuple) and len(size) == 2 and isinstance(size[0], int) and size[0] == size[1] > 0
        if size is not None and not square:
            raise mismatch(f"{where}: resize_imgs_with_padding", "[side, side], a square", size, "correct it")
        for feature, limit in ((STATE, self.max_state_dim), (ACTION, self.max_action_dim)):
            side = self.input_features if feature == STATE else self.output_features
            found = next((f for f in side if f.name == feature), None)
            if found is None or len(found.shape) != 1 or not 1 <= found.shape[0] <= limit:
                raise mismatch(
                    f"{where}: feature {feature}",
                    f"a shape of one number from 1 to {limit}",
                    "none" if found is None else list(found.shape),
                    "use a checkpoint trained on a dataset with it",
                )
        if not self.camera_features:
            raise mismatch(f"{where}: input_features", "at least one VISUAL feature", "none", "correct it")


def expert_width(config: SmolVLAConfig, text: TextConfig) -> int:
    return int(text.hidden_size * config.expert_width_multiplier)


def expert_mlp_width(width: int) -> int:
    """Two thirds of the width, four times that, up to a multiple of 256; each step cut to a whole number."""
    wanted = 4 * int(2 * width / 3)
    return -(-wanted // EXPERT_MLP_MULTIPLE) * EXPERT_MLP_MULTIPLE


def _features(raw: Any, where: str) -> tuple[Feature, ...]:
    if not isinstance(raw, Mapping):
        raise mismatch(where, "a mapping of features", raw, "use the config.json that was saved with the weights")
    features = []
    for name, entry in raw.items():
        try:
            features.append(Feature(str(name), str(entry["type"]), tuple(int(side) for side in entry["shape"])))
        except (KeyError, TypeError, ValueError):
            raise mismatch(f"{where}.{name}", "{type, shape}", entry, "correct it") from None
    return tuple(features)


def _normalization_mapping(raw: Any, where: str) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise mismatch(f"{where}: normalization_mapping", "a mapping", raw, "correct it")
    for kind, mode in raw.items():
        if mode not in NORMALIZATION_MODES:
            expected = "one of " + ", ".join(NORMALIZATION_MODES)
            raise mismatch(f"{where}: normalization_mapping.{kind}", expected, mode, "correct it")
    return dict(raw)


def _read(cls: type[Section], raw: Mapping[str, Any], where: str) -> Section:
    """A dataclass from a mapping: unknown fields skipped, the types of the known ones checked."""
    hints, values = get_type_hints(cls), {}
    for f in fields(cls):  # type: ignore[arg-type]
        if f.name not in raw:
            continue
        value, expected = raw[f.name], hints[f.name]
        if value is None and f.name in ("num_key_value_heads", "head_dim"):
            continue
        whole = isinstance(value, int) and not isinstance(value, bool)
        if (
            (expected is int and not whole)
            or (expected is float and not (whole or isinstance(value, float)))
            or (expected in (str, bool) and not isinstance(value, expected))
        ):
            raise mismatch(f"{where}: {f.name}", f"a value of type {expected.__name__}", repr(value), "correct it")
        values[f.name] = value
    try:
        return cls(**values)
    except TypeError:
        missing = [f.name for f in fields(cls) if f.name not in values]  # type: ignore[arg-type]
        raise CheckpointError(f"{where}: missing: {', '.join(missing)}; use the file saved with the weights") from None


SMOLVLM2_500M = BackboneConfig(
    TextConfig(
        hidden_size=960,
        intermediate_size=2560,
        num_hidden_layers=32,
        num_attention_heads=15,
        vocab_size=49280,
        num_key_value_heads=5,
        head_dim=64,
        rms_norm_eps=1e-5,
    ),
    VisionConfig(hidden_size=768, num_attention_heads=12, image_size=512, patch_size=16),
    scale_factor=4,
)
"""The backbone of the published checkpoints, which name it and do not hold its config."""
