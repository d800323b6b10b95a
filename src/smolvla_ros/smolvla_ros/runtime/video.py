"""demo.mp4: the recorded task drawn again by the viewer's camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.runtime.recording import Recording

FRAMES_PER_S, MOST_FRAMES = 30, 450  # a frame takes about a tenth of a second to draw


def task_video(path: Path, embodiment: Embodiment, recording: Recording, caption: str) -> None:
    """Draws what was recorded on an even clock; poses are those of the nearest scene message."""
    from smolvla_ros.simulation.video import render_video

    start = max(recording.joint_stamps_s[0], recording.object_stamps_s[0])
    stop = min(recording.joint_stamps_s[-1], recording.object_stamps_s[-1])
    fps = max(1, min(FRAMES_PER_S, int(MOST_FRAMES / max(stop - start, 1.0))))
    stamps = np.arange(start, stop, 1 / fps)
    nearest = np.searchsorted(np.array(recording.object_stamps_s[:-1]), stamps)
    objects = {name: np.array(poses)[nearest] for name, poses in recording.object_poses.items()}
    render_video(
        path,
        embodiment,
        seed=recording.scene_seed,
        stamps_s=stamps - start,
        positions=recording.positions_at(stamps),
        object_poses=objects,
        caption=caption,
        fps=fps,
    )
