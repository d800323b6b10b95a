"""LeRobot's own SmolVLA on one checkpoint and one observation. Run by the python of an environment with lerobot 0.6.1.

    python lerobot_peer.py CHECKPOINT INPUT.npz OUTPUT.npz [--repeat N] [--threads N] [--save FOLDER]

INPUT holds `images.<feature>` (3, H, W) float32, `state` (D,) in the robot's units, `noise` (1, chunk, max_action_dim)
and the text `instruction`. OUTPUT gets `tokens`, `chunk` (normalised), `actions` (robot's units), `seconds` (N,),
`load_s`, `peak_rss_bytes`. It imports nothing of this project, and asks no hub.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import json
import os
import resource
import sys
import time
import types
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"


class _Absent:
    """A module that lerobot imports and SmolVLA never calls. Any name in it is an empty class."""

    def __init__(self, name: str) -> None:
        self.module = types.ModuleType(name)
        self.module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.module.__path__ = []
        self.module.__version__ = "0"  # type: ignore[attr-defined]
        self.module.__getattr__ = self._attribute  # type: ignore[method-assign]

    @staticmethod
    def _attribute(attribute: str) -> type:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return type(attribute, (), {})


def stand_in_for_torchvision() -> None:
    """Where only torch's CPU build is installed there is no torchvision to match."""
    import transformers.utils.import_utils as availability

    if availability.is_torchvision_available():
        return
    for name in ("", ".io", ".models", ".models._utils", ".ops", ".ops.misc"):
        sys.modules[f"torchvision{name}"] = _Absent(f"torchvision{name}").module
    for name in (".transforms", ".transforms.functional", ".transforms.v2", ".transforms.v2.functional"):
        module = sys.modules[f"torchvision{name}"] = _Absent(f"torchvision{name}").module
        parent, _, leaf = f"torchvision{name}".rpartition(".")
        setattr(sys.modules[parent], leaf, module)


def load(folder: Path) -> tuple[Any, Any, Any, float]:
    """Policy, its two processor pipelines and load seconds, of a checkpoint that holds its backbone's config."""
    import lerobot.policies.smolvla.smolvlm_with_expert as backbone
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    os.chdir(folder)  # vlm_model_name is a folder of the checkpoint
    name = json.loads(Path("config.json").read_text())["vlm_model_name"]
    tokens = {t["content"]: t["id"] for t in json.loads(Path(name, "tokenizer.json").read_text())["added_tokens"]}
    ids = types.SimpleNamespace(
        fake_image_token_id=tokens["<fake_token_around_image>"], global_image_token_id=tokens["<global-img>"]
    )
    # only these two ids are read of the processor, whose image part would need torchvision
    backbone.AutoProcessor = types.SimpleNamespace(from_pretrained=lambda *_: types.SimpleNamespace(tokenizer=ids))
    started = time.perf_counter()
    policy = SmolVLAPolicy.from_pretrained(".", strict=True).eval()
    seconds = time.perf_counter() - started
    pre, post = make_pre_post_processors(policy.config, pretrained_path=".")
    return policy, pre, post, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=Path, help="where lerobot writes the checkpoint anew")
    options = parser.parse_args()
    options.input, options.output = options.input.resolve(), options.output.resolve()

    import numpy as np
    import torch

    torch.set_num_threads(options.threads)
    stand_in_for_torchvision()
    policy, pre, post, load_s = load(options.checkpoint)
    arrays = dict(np.load(options.input, allow_pickle=False))
    observation = {
        name.removeprefix("images."): torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith("images.")
    }
    observation["observation.state"] = torch.from_numpy(arrays["state"])
    batch = pre({**observation, "task": str(arrays["instruction"])})
    noise = torch.from_numpy(arrays["noise"])
    seconds = []
    for _ in range(options.repeat):
        started = time.perf_counter()
        chunk = policy.predict_action_chunk(dict(batch), noise=noise)
        seconds.append(time.perf_counter() - started)
    if options.save:
        policy.save_pretrained(options.save)
        pre.save_pretrained(options.save)
        post.save_pretrained(options.save)
    np.savez(
        options.output,
        tokens=batch["observation.language.tokens"].numpy(),
        chunk=chunk.float().numpy(),
        actions=post(chunk).float().numpy(),
        seconds=np.array(seconds),
        load_s=load_s,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


if __name__ == "__main__":
    main()
