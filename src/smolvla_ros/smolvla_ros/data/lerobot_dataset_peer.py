"""LeRobot's own LeRobotDataset, to read or write a folder. Run by the python of an environment with lerobot 0.6.1.

    python lerobot_dataset_peer.py read ROOT OUTPUT.npz --horizon N [--every N]
    python lerobot_dataset_peer.py create ROOT INPUT.npz [--codec CODEC]
    python lerobot_dataset_peer.py resume ROOT INPUT.npz
    python lerobot_dataset_peer.py convert ROOT

read: every item in order, or the first of every N, stacked: columns, pictures as uint8 (items, 3, height, width),
`task`, `<feature>_is_pad`, `stats/<feature>/<statistic>`. create and resume take columns (frames, *shape), pictures,
`task` and `lengths` of episodes; create also `info`, JSON with fps, features and robot_type. convert: v2.1 to v3.0, in
place, by LeRobot's own script. It imports nothing of this project, and asks no hub.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.pop(0)  # this folder, whose names are not meant for LeRobot
NAME = "local/compared"


def stand_in_for_torchvision() -> None:
    """The model's peer script knows how; it is loaded by its path, for this project is not installed here."""
    path = Path(__file__).parents[1] / "model" / "lerobot_peer.py"
    spec = importlib.util.spec_from_file_location("lerobot_peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.stand_in_for_torchvision()
    from torchvision import transforms

    if not hasattr(transforms, "__file__"):
        transforms.ToTensor = lambda: tensor_of  # what LeRobot takes of it for pictures in rows


def tensor_of(picture: Any) -> Any:
    """(3, height, width) float32 in [0, 1] of a PIL picture."""
    import torch

    return torch.from_numpy(np.array(picture).transpose(2, 0, 1)).float() / 255


def read(root: Path, output: Path, horizon: int, every: int) -> None:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    fps = json.loads((root / "meta" / "info.json").read_text())["fps"]
    ahead = {"action": [step / fps for step in range(horizon)]}
    dataset = LeRobotDataset(NAME, root=root, video_backend="pyav", delta_timestamps=ahead)
    items = [dataset[index] for index in range(0, len(dataset), every)]
    arrays: dict[str, Any] = {}
    for name in items[0]:
        values = [item[name] for item in items]
        stacked = np.array(values) if isinstance(values[0], str) else np.stack([value.numpy() for value in values])
        arrays[name] = np.round(stacked * 255).astype(np.uint8) if name in dataset.meta.camera_keys else stacked
    for feature, statistics in dataset.meta.stats.items():
        arrays |= {f"stats/{feature}/{name}": values for name, values in statistics.items()}
    arrays["lengths"] = np.array(dataset.meta.episodes["length"][: dataset.num_episodes])
    np.savez(output, **arrays)


def write(dataset: Any, arrays: dict[str, Any]) -> None:
    lengths, tasks, frame = arrays.pop("lengths"), arrays.pop("task"), 0
    for length in lengths:
        for _ in range(length):
            columns = {name: values[frame] for name, values in arrays.items()}
            dataset.add_frame({**columns, "task": str(tasks[frame])})
            frame += 1
        dataset.save_episode(parallel_encoding=False)
    dataset.finalize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["read", "create", "resume", "convert"])
    parser.add_argument("root", type=Path)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--horizon", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--codec", default="libsvtav1")
    options = parser.parse_args()
    stand_in_for_torchvision()
    if options.what == "read":
        read(options.root, options.file, options.horizon, options.every)
        return
    if options.what == "convert":
        from lerobot.scripts.convert_dataset_v21_to_v30 import convert_dataset

        convert_dataset(NAME, root=str(options.root), push_to_hub=False)
        return
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    arrays = dict(np.load(options.file, allow_pickle=False))
    about = json.loads(str(arrays.pop("info", "{}")))
    encoder = RGBEncoderConfig(vcodec=options.codec)
    if options.what == "create":
        features = {name: {**entry, "shape": tuple(entry["shape"])} for name, entry in about.pop("features").items()}
        dataset = LeRobotDataset.create(NAME, root=options.root, features=features, rgb_encoder=encoder, **about)
    else:
        dataset = LeRobotDataset.resume(NAME, root=options.root, rgb_encoder=encoder)
    write(dataset, arrays)


if __name__ == "__main__":
    main()
