"""Demonstrations from the simulator as samples: each frame under its instruction and under another one.

Keys beside those of samples.py, for the auxiliary loss (named_objects.py), of the cube and the box that are named:

    named.places   (batch, cameras, 2, 2) float32: column and row in the letterboxed square, 0 to 1
    named.visible  (batch, cameras, 2) bool: inside the picture
    named.metres   (batch, 5) float32: the cube's x y z and the box's x y, about the middle of the table, in 0.1 m
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from smolvla_ros.data.demonstration_arrays import DemonstrationArrays
from smolvla_ros.data.feature_statistics import vector_statistics
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.model.config import ACTION, STATE
from smolvla_ros.model.normalization import Statistics
from smolvla_ros.model.relative_actions import RelativeActions
from smolvla_ros.simulation.tasks import PickAndPlace, wordings
from smolvla_ros.training.errors import mismatch
from smolvla_ros.training.objective import WEIGHT
from smolvla_ros.training.samples import TASK

PLACES, VISIBLE, METRES = "named.places", "named.visible", "named.metres"
MIDDLE_OF_CUBES_M, MIDDLE_OF_BOXES_M, UNIT_M = np.array([0.2, 0.0, 0.03]), np.array([0.16, 0.0]), 0.1
USUAL_WORDS = 0.4
EARLY_FRAMES, EARLY_WEIGHT = 12, 3.0
STATISTICS_FRAMES = 4000


class DemonstrationSamples:
    """Sample 2 k is frame k under its own instruction, 2 k + 1 under the other. Words differ from sample to sample.

    any_words: names any cube and any box, so that what is named does not follow from what the arm does; the chunks
    then do not fit and count nothing. That is for learning the auxiliary loss alone.
    """

    def __init__(
        self, arrays: DemonstrationArrays, embodiment: Embodiment, chunk: int, seed: int = 0, any_words: bool = False
    ) -> None:
        """Raises TrainingError where the demonstrations are of another robot or of shorter chunks."""
        self._arrays, self._chunk, self._seed, self._any = arrays, chunk, seed, any_words
        found = arrays.description
        units = tuple(joint.lerobot_unit for joint in embodiment.joints)
        if (found.joints, found.units) != (embodiment.joint_names, units):
            wanted, there = (
                dict(zip(embodiment.joint_names, units, strict=True)),
                dict(zip(found.joints, found.units, strict=True)),
            )
            remedy = "make demonstrations with this embodiment"
            raise mismatch("joints of the demonstrations", str(wanted), str(there), remedy)
        rows = arrays.rows([0], ("actions",))["actions"].shape[2]
        if chunk > rows:
            raise mismatch("chunk_size", f"at most the demonstrations' {rows} rows", chunk, "ask for shorter chunks")
        features = {camera.name: camera.feature for camera in embodiment.cameras}
        self._features = [features[name] for name in found.cameras]
        self._cubes = [i for i, name in enumerate(found.objects) if name.endswith(" cube")]
        self._boxes = [i for i, name in enumerate(found.objects) if name.endswith(" box")]

    def __len__(self) -> int:
        return 2 * len(self._arrays)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        slots, frames = np.asarray(indices) % 2, np.asarray(indices) // 2
        rows, count = self._arrays.rows(frames), np.arange(len(frames))
        named, texts = self._named(indices, rows["tasks"][count, slots])
        places, visible = _in_square(rows["pixels"][count[:, None], :, named].transpose(0, 2, 1, 3), rows["images"])
        objects = rows["positions"][count[:, None], named]
        cubes, boxes = objects[:, 0] - MIDDLE_OF_CUBES_M, objects[:, 1, :2] - MIDDLE_OF_BOXES_M
        return {
            **{feature: rows["images"][:, camera] for camera, feature in enumerate(self._features)},
            STATE: rows["state"],
            ACTION: rows["actions"][count, slots, : self._chunk],
            TASK: texts,
            WEIGHT: np.full(len(frames), 0.0 if self._any else 1.0, dtype=np.float32),
            PLACES: places.astype(np.float32),
            VISIBLE: visible,
            METRES: (np.concatenate([cubes, boxes], axis=1) / UNIT_M).astype(np.float32),
        }

    def sampling_weights(self, corrections: float = 1.0) -> np.ndarray:
        """(samples,): the first frames, in which the words alone tell where to go, count more.

        corrections: how much a frame counts that is not of the first folder.
        """
        early = np.where(self._arrays.frame < EARLY_FRAMES, EARLY_WEIGHT, 1.0)
        return np.repeat(early * np.where(self._arrays.source > 0, corrections, 1.0), 2)

    def statistics(self, relative: RelativeActions | None = None) -> Statistics:
        """Of states and of the demonstrated actions, or of their offsets, from frames spread over all episodes."""
        frames = np.unique(np.linspace(0, len(self._arrays) - 1, STATISTICS_FRAMES).astype(int))
        rows = self._arrays.rows(frames, ("state", "actions"))
        actions = rows["actions"][:, 0, : self._chunk]
        if relative:
            actions = relative.relative(torch.from_numpy(actions), torch.from_numpy(rows["state"])).numpy()
        found = {STATE: vector_statistics(rows["state"]), ACTION: vector_statistics(np.concatenate(list(actions)))}
        return {
            feature: {name: torch.from_numpy(np.asarray(value)).float() for name, value in statistics.items()}
            for feature, statistics in found.items()
        }

    def _named(self, indices: Sequence[int], tasks: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Cube and box (batch, 2) of each sample, and an instruction that names them."""
        names, named, texts = self._arrays.description.objects, tasks.astype(int), []
        for row, index in enumerate(indices):
            random = np.random.default_rng([self._seed, index])
            if self._any:
                named[row] = random.choice(self._cubes), random.choice(self._boxes)
            usual, *others = wordings(PickAndPlace(names[named[row, 0]], names[named[row, 1]]))
            texts.append(usual if random.random() < USUAL_WORDS else others[random.integers(len(others))])
        return named, texts


def _in_square(pixels: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the picture to shares of the letterboxed square, picture bottom right; and which lie in the picture."""
    height, width = images.shape[2:4]
    scale = np.array([width, height]) / max(width, height)
    visible = np.all((pixels > 0) & (pixels < 1), axis=3)
    return np.nan_to_num(pixels * scale + 1 - scale), visible
