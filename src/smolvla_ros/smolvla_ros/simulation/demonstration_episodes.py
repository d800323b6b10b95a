"""Demonstrations as episodes of a LeRobot dataset: every frame, under the instruction that was followed to its end.

The action of a frame is where the policy wanted the arm then, not where a push took it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from smolvla_ros.data.embodiment_features import features_of
from smolvla_ros.data.features import ACTION, STATE, Feature, camera
from smolvla_ros.data.recorded_episode import RecordedEpisode
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.simulation.demonstration_frames import FrameArtist, picture_size
from smolvla_ros.simulation.demonstrations import Moment
from smolvla_ros.units import LeRobotUnits


def demonstration_features(embodiment: Embodiment, side: int) -> dict[str, Feature]:
    """The embodiment's, with cameras of the size that its pictures have in a square of this side."""
    width, height = picture_size(embodiment, side)
    small = {eye.feature: camera(height, width) for eye in embodiment.cameras}
    return {**features_of(embodiment), **small}


def episode_of(moments: list[Moment], artist: FrameArtist, embodiment: Embodiment, seed: int) -> RecordedEpisode:
    """Of all moments of a demonstration, one a frame. The world must still have its light, boxes and cameras."""
    asked = moments[-1].asked
    own = [moment for moment in moments if moment.asked == asked]
    units = LeRobotUnits(embodiment)

    def pictures(name: str) -> Iterator[np.ndarray]:
        return (artist.picture(moment, name) for moment in own)

    return RecordedEpisode(
        task=asked.instruction,
        columns={
            ACTION: units.from_radians(np.array([moment.chunk[0] for moment in own])).astype(np.float32),
            STATE: units.from_radians(np.array([moment.positions for moment in own])).astype(np.float32),
        },
        images={eye.feature: pictures(eye.name) for eye in embodiment.cameras},
        notes={"success": True, "source": "simulator", "seed": seed},
    )
