"""From what an operator names, a folder or a model of the hub, to a folder on this host.

    lerobot/smolvla_base             owner/name, newest revision
    lerobot/smolvla_base@c83c3163    a revision: branch, tag or commit

Only safetensors, JSON and the embodiment file are asked for: no pickle, no code. What lies in the hub's cache is used
where there is no network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from smolvla_ros.model.errors import CheckpointError, mismatch

HUB_ID = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
FILES = ("*.safetensors", "*.json", "embodiment.yaml")
OTHER_FILES = ("checkpoints/*", "*training_state/*")


def is_hub_id(name: str) -> bool:
    return HUB_ID.fullmatch(name) is not None


def checkpoint_folder(source: str | Path, beside: Path | None = None) -> Path:
    """The folder that `source` is, or into which the hub's files were put. A relative one may lie in `beside`.

    Raises CheckpointError.
    """
    for folder in ((beside / source,) if beside else ()) + (Path(source),):
        if folder.is_dir():
            return folder
    hub_id = HUB_ID.fullmatch(str(source))
    if Path(source).exists() or not hub_id:
        found = "a file" if Path(source).exists() else "none"
        raise mismatch(str(source), "a checkpoint's folder, or owner/name of the hub", found, "name the folder")
    return hub_folder(hub_id["repo"], FILES, hub_id["revision"])


def hub_folder(repo: str, files: Sequence[str], revision: str | None = None, cached_only: bool = False) -> Path:
    """A folder with those files of a model on the hub that match `files`. Raises CheckpointError."""
    here = f"a folder {repo}, or that model of the hub"
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
    except ImportError:
        remedy = f"pip install huggingface_hub, or copy the files of {repo} to this host and name their folder"
        raise mismatch(repo, here, "neither: huggingface_hub is not installed", remedy) from None
    try:
        return Path(
            snapshot_download(
                repo,
                revision=revision,
                allow_patterns=list(files),
                ignore_patterns=list(OTHER_FILES),
                local_files_only=cached_only,
            )
        )
    except RevisionNotFoundError:
        raise mismatch(f"{repo}@{revision}", here, "no such revision", "name a branch, tag or commit of it") from None
    except RepositoryNotFoundError:
        remedy = "check the name; for a private model log in first: hf auth login"
        raise mismatch(repo, here, "no such model that this host may read", remedy) from None
    except LocalEntryNotFoundError:
        remedy = f"connect it once, or copy the files of {repo} to this host and name their folder"
        raise mismatch(repo, here, "no folder, nothing in the cache, and the hub not reached", remedy) from None
    except Exception as error:  # its HTTP client's errors share no base with its own
        raise CheckpointError(f"{repo}: the hub did not give its files: {error}; try again, or copy them") from None
