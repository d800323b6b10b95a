"""Instructions to token ids by a checkpoint's own tokenizer.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
from torch import Tensor

from smolvla_ros.model.errors import CheckpointError, mismatch
from smolvla_ros.model.json_file import read_json, write_json

TOKENIZER_FILE, SETTINGS_FILE = "tokenizer.json", "tokenizer_config.json"
FAKE_IMAGE_TOKEN, GLOBAL_IMAGE_TOKEN = "<fake_token_around_image>", "<global-img>"


class InstructionTokenizer:
    """Text to ids: no special tokens but the file's own, cut to `max_length`, padded on the right to the longest.

    settings: the file's tokenizer_config.json, of which `truncation_side` and `pad_token` matter.
    newline: whether each instruction is ended with one, as SmolVLA is trained.
    """

    def __init__(
        self, tokenizer: tokenizers.Tokenizer, settings: Mapping[str, Any], max_length: int = 48, newline: bool = True
    ) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer, self.settings, self.max_length, self.newline = tokenizer, dict(settings), max_length, newline
        pad = settings.get("pad_token")
        self._pad_id = tokenizer.token_to_id(pad if isinstance(pad, str) else "<|im_end|>") or 0

    @classmethod
    def from_folder(cls, folder: Path, max_length: int, newline: bool = True) -> InstructionTokenizer:
        """Reads tokenizer.json and, where there is one, tokenizer_config.json. Raises CheckpointError."""
        path = folder / TOKENIZER_FILE
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise mismatch(str(path), "a tokenizer", error, "copy the backbone's tokenizer.json there") from None
        settings_path = folder / SETTINGS_FILE
        settings = read_json(settings_path, "correct or remove it") if settings_path.exists() else {}
        return cls(tokenizer, settings, max_length, newline)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._tokenizer.save(str(folder / TOKENIZER_FILE))
        write_json(folder / SETTINGS_FILE, self.settings)

    def __call__(self, instructions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids (batch, length) int64 and their mask (batch, length) bool."""
        rows = []
        for text in instructions:
            ids = self._tokenizer.encode(text if text.endswith("\n") or not self.newline else text + "\n").ids
            left = self.settings.get("truncation_side") == "left"
            rows.append(ids[-self.max_length :] if left else ids[: self.max_length])
        length = max(len(ids) for ids in rows)
        padded = [ids + [self._pad_id] * (length - len(ids)) for ids in rows]
        lengths = torch.tensor([len(ids) for ids in rows])
        return torch.tensor(padded, dtype=torch.int64), torch.arange(length) < lengths[:, None]

    def check(self, vocab_size: int, where: str) -> None:
        """Raises CheckpointError where an id would lie outside the embedding table."""
        highest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        if not 0 <= highest < vocab_size:
            remedy = "use the tokenizer of the backbone that the weights come from"
            raise mismatch(where, f"token ids below the vocabulary's {vocab_size}", f"ids up to {highest}", remedy)

    def image_token_ids(self) -> tuple[int, int]:
        """Ids of (fake token around image, global image). Raises CheckpointError where the file lacks them."""
        fake, whole = (self._tokenizer.token_to_id(token) for token in (FAKE_IMAGE_TOKEN, GLOBAL_IMAGE_TOKEN))
        if fake is None or whole is None:
            raise CheckpointError(
                f"{TOKENIZER_FILE}: expected the tokens {FAKE_IMAGE_TOKEN} and {GLOBAL_IMAGE_TOKEN}, "
                f"found ids {fake} and {whole}; "
                "use the tokenizer of the backbone, or set add_image_special_tokens to false if it was trained so"
            )
        return fake, whole
