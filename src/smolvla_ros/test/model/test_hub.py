"""Names of the hub: from its cache without a network, refused with a remedy where nothing is there."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
from checkpoint_variants import Q_PROJ, low_rank, write_adapter
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.hub import checkpoint_folder, is_hub_id
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.policies.registry import UnknownPolicy, make_policy

huggingface_hub = pytest.importorskip("huggingface_hub")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, and no network."""
    folder = tmp_path / "hub"
    folder.mkdir()
    constants = import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


@pytest.fixture
def cached(cache: Path) -> Path:
    """somebody/pick of which two revisions were fetched at some time: main, and one called v2."""
    repo = cache / "models--somebody--pick"
    for commit, seed, revision in ((COMMIT, 1, "main"), (COMMIT[::-1], 2, "v2")):
        save_checkpoint(random_checkpoint(load_embodiment(), "tiny", seed), repo / "snapshots" / commit)
        (repo / "refs").mkdir(exist_ok=True)
        (repo / "refs" / revision).write_text(commit)
    return repo


def test_a_cached_model_loads_without_a_network(cached: Path) -> None:
    assert load_checkpoint("somebody/pick").path == cached / "snapshots" / COMMIT


def test_a_revision_is_the_one_named(cached: Path) -> None:
    assert checkpoint_folder("somebody/pick@v2") == cached / "snapshots" / COMMIT[::-1]


def test_a_folder_of_that_name_goes_first(cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("somebody/pick").mkdir(parents=True)
    assert checkpoint_folder("somebody/pick") == Path("somebody/pick")


def test_a_policy_is_made_of_a_cached_model(cached: Path) -> None:
    assert make_policy("somebody/pick", load_embodiment()).name == "smolvla"


def test_an_adapter_finds_its_base_on_the_hub(cached: Path, tmp_path: Path) -> None:
    write_adapter(tmp_path / "a", "somebody/pick", low_rank(Q_PROJ, 64, 48), revision="v2")
    assert load_checkpoint(tmp_path / "a").weights.path.parent.name == COMMIT[::-1]


def test_only_tensors_and_json_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pickle or a module of code in the repository never reaches this host."""
    asked = {}

    def download(repo: str, **options: object) -> str:
        asked.update(options, repo=repo)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert checkpoint_folder("somebody/pick@v1.0") == tmp_path
    assert (asked["repo"], asked["revision"]) == ("somebody/pick", "v1.0")
    assert asked["allow_patterns"] == ["*.safetensors", "*.json", "embodiment.yaml"]


def test_without_network_and_cache_the_message_says_what_to_do() -> None:
    with pytest.raises(CheckpointError, match=r"nothing in the cache, and the hub not reached; .* copy the files"):
        load_checkpoint("somebody/else")


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match="pip install huggingface_hub"):
        load_checkpoint("somebody/else")


def test_an_error_of_its_client_is_told_and_not_raised_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: object, **__: object) -> str:
        raise RuntimeError("502 Bad Gateway")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(CheckpointError, match="502 Bad Gateway"):
        load_checkpoint("somebody/else")


@pytest.mark.parametrize(
    ("name", "of_the_hub"),
    [
        ("lerobot/smolvla_base", True),
        ("lerobot/smolvla_base@c83c3163", True),
        ("backbone", False),
        ("/somewhere/else", False),
        ("./a/b", False),
        ("a/b/c", False),
    ],
)
def test_names_of_the_hub_have_an_owner_and_a_name(name: str, of_the_hub: bool) -> None:
    assert is_hub_id(name) == of_the_hub


def test_a_path_that_is_not_there_is_refused_as_a_path(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="expected a checkpoint's folder, or owner/name of the hub, found none"):
        load_checkpoint(tmp_path / "nowhere")
    with pytest.raises(UnknownPolicy):
        make_policy(str(tmp_path / "nowhere"), load_embodiment())


def test_a_cached_copy_cut_short_is_refused(cached: Path) -> None:
    shutil.rmtree(cached / "snapshots" / COMMIT / "backbone")
    (cached / "snapshots" / COMMIT / "model.safetensors").unlink()
    with pytest.raises(CheckpointError):
        load_checkpoint("somebody/pick")
