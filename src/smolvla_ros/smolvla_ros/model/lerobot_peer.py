"""LeRobot's own SmolVLA on one checkpoint and one observation. Run by the python of an environment with lerobot 0.6.1.

    python lerobot_peer.py CHECKPOINT INPUT.npz OUTPUT.npz [--repeat N] [--threads N] [--save FOLDER] [--file-types]
                           [--bfloat16 NAMES.txt] [--adapter FOLDER]

INPUT holds `images.<feature>` ([B,] 3, H, W) float32, `state` ([B,] D) in the robot's units, `noise` (B, chunk,
max_action_dim) and the text or texts `instruction`; where some lack a camera `masks.<feature>` (B,) bool; for real-time
chunking `previous` (B, rows, width), `delay`, `horizon`, `schedule`, `max_weight`. OUTPUT gets `tokens`, `chunk`
(normalised), `actions` (robot's units), `seconds` (N,), `load_s`, `peak_rss_bytes`; `chunk_bfloat16` is a second run's
with the named tensors cast. It imports nothing of this project, and asks no hub.
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


def with_adapter(policy: Any, adapter: Path) -> Any:
    """As lerobot.policies.factory.make_policy does for a checkpoint with use_peft."""
    try:
        from peft import PeftModel
    except ImportError:
        sys.exit("peft: expected it beside lerobot, found none; pip install peft there")
    return PeftModel.from_pretrained(policy, str(adapter)).eval()


def peak_rss_bytes() -> int:
    """The most memory that this program has held. getrusage's would count what its parent held when it started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def take_file_types(policy: Any) -> None:
    """Types follow construction in LeRobot, which builds published models in bfloat16, random ones not."""
    from safetensors import safe_open

    with safe_open("model.safetensors", framework="pt") as file:
        for name, parameter in policy.named_parameters():
            parameter.data = file.get_tensor(name).clone()


def named(arrays: dict[str, Any], start: str) -> dict[str, Any]:
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def guidance(policy: Any, arrays: dict[str, Any]) -> dict[str, Any]:
    """Turns real-time chunking on where the input has a previous chunk, and returns what the call takes."""
    import torch
    from lerobot.configs import RTCAttentionSchedule
    from lerobot.policies.rtc.configuration_rtc import RTCConfig

    if "previous" not in arrays:
        return {}
    policy.config.rtc_config = RTCConfig(
        prefix_attention_schedule=RTCAttentionSchedule[arrays["schedule"].item().upper()],
        max_guidance_weight=arrays["max_weight"].item(),
    )
    policy.init_rtc_processor()
    return {
        "prev_chunk_left_over": torch.from_numpy(arrays["previous"]),
        "inference_delay": arrays["delay"].item(),
        "execution_horizon": arrays["horizon"].item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=Path, help="where lerobot writes the checkpoint anew")
    parser.add_argument("--bfloat16", type=Path, help="names of tensors to cast before a second run, one a line")
    parser.add_argument("--file-types", action="store_true", help="weights in the file's types, as they were published")
    parser.add_argument("--adapter", type=Path, help="a folder with PEFT's files, trained on CHECKPOINT")
    options = parser.parse_args()
    options.input, options.output = options.input.resolve(), options.output.resolve()
    if options.adapter:
        options.adapter = options.adapter.resolve()

    import numpy as np
    import torch

    torch.set_num_threads(options.threads)
    stand_in_for_torchvision()
    policy, pre, post, load_s = load(options.checkpoint)
    if options.file_types:
        take_file_types(policy)
    if options.adapter:
        policy = with_adapter(policy, options.adapter)
    arrays = dict(np.load(options.input, allow_pickle=False))
    observation = {name: torch.from_numpy(value) for name, value in named(arrays, "images.").items()}
    observation["observation.state"] = torch.from_numpy(arrays["state"])
    batch = pre({**observation, "task": arrays["instruction"].tolist()})
    batch |= {f"{name}_padding_mask": torch.from_numpy(mask) for name, mask in named(arrays, "masks.").items()}
    settings = {"noise": torch.from_numpy(arrays["noise"]), **guidance(policy, arrays)}
    seconds = []
    for _ in range(options.repeat):
        started = time.perf_counter()
        chunk = policy.predict_action_chunk(dict(batch), **settings)
        seconds.append(time.perf_counter() - started)
    peak = peak_rss_bytes()
    if options.save:
        policy.save_pretrained(options.save)
        pre.save_pretrained(options.save)
        post.save_pretrained(options.save)
    second = {}
    if options.bfloat16:
        names = set(options.bfloat16.read_text().split())
        for name, parameter in policy.named_parameters():
            if name in names:
                parameter.data = parameter.data.bfloat16()
        second["chunk_bfloat16"] = policy.predict_action_chunk(dict(batch), **settings).float().numpy()
    np.savez(
        options.output,
        **second,
        tokens=batch["observation.language.tokens"].numpy(),
        chunk=chunk.float().numpy(),
        actions=post(chunk).float().numpy(),
        seconds=np.array(seconds),
        load_s=load_s,
        peak_rss_bytes=peak,
    )


if __name__ == "__main__":
    main()
