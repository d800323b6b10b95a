"""Where a policy fails, on one sheet: how each task that was not done looked at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.runtime.recording import Recording, TaskOutcome

MOST, COLUMNS = 24, 4
WIDTH, HEIGHT, CAPTION_HEIGHT = 400, 300, 40
FONT, SCALE, LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.4, 58


@dataclass(frozen=True)
class Failure:
    """positions (joints,) rad and poses name -> (7,) x y z qw qx qy qz at the end of a task."""

    seed: int
    instruction: str
    message: str
    positions: np.ndarray
    poses: dict[str, np.ndarray]


def failure_of(outcome: TaskOutcome, recording: Recording) -> Failure | None:
    """None where nothing was recorded."""
    if not recording.joint_positions or not recording.object_stamps_s:
        return None
    poses = {name: seen[-1] for name, seen in recording.object_poses.items()}
    return Failure(
        recording.scene_seed, outcome.instruction, outcome.message, np.array(recording.joint_positions[-1]), poses
    )


def failure_sheet(path: Path, embodiment: Embodiment, failures: Sequence[Failure]) -> None:
    """A PNG of the first failures, each with seed, instruction and what the simulator said. Raises NoRenderer."""
    from smolvla_ros.simulation.rendering import Renderer
    from smolvla_ros.simulation.world import World

    world = World(embodiment)
    renderer = Renderer(world, WIDTH, HEIGHT, fine=True)
    cells = []
    for failure in failures[:MOST]:
        world.place(failure.positions, failure.poses)
        renderer.take_state(world.data.qpos)
        lines = (f"{failure.seed}: {failure.instruction}", failure.message)
        cells.append(np.vstack([renderer.draw("viewer"), _caption(lines)]))
    renderer.close()
    columns = min(COLUMNS, len(cells))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def _caption(lines: Sequence[str]) -> np.ndarray:
    band = np.zeros((CAPTION_HEIGHT, WIDTH, 3), dtype=np.uint8)
    for row, line in enumerate(lines):
        cv2.putText(band, line[:LETTERS], (6, 15 + 17 * row), FONT, SCALE, (255, 255, 255), 1, cv2.LINE_AA)
    return band
