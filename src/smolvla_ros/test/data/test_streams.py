from __future__ import annotations

import numpy as np
from smolvla_ros.data.streams import ImageStream, Recording, ValueStream, episode_of

MS = 1_000_000


def test_an_episode_has_at_each_step_what_was_known_then_and_decodes_each_picture_once() -> None:
    decoded = []

    def image(sample: int) -> np.ndarray:
        decoded.append(sample)
        return np.full((2, 2, 3), sample, np.uint8)

    state = ValueStream(np.arange(0, 1000, 10) * MS, np.arange(100, dtype=np.float32)[:, None])
    camera = ImageStream(np.array([5, 105, 205, 305]) * MS, image)
    recording = Recording("lift", {"observation.state": state}, {"observation.images.top": camera}, {"success": True})
    episode = episode_of(recording, fps=20, max_age_s=0.11)
    assert episode.frames == 7
    np.testing.assert_array_equal(episode.columns["observation.state"][:, 0], [0, 5, 10, 15, 20, 25, 30])
    pictures = [int(picture[0, 0, 0]) for picture in episode.images["observation.images.top"]]
    assert pictures == [0, 0, 1, 1, 2, 2, 3]
    assert decoded == [0, 1, 2, 3]
    assert episode.notes == {"success": True}
