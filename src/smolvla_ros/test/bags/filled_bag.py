from __future__ import annotations

from pathlib import Path

import numpy as np
from smolvla_ros.bags.episode_notes import EpisodeNotes
from smolvla_ros.bags.made_bag import BEGIN_NS, BagMaker

NOTES = EpisodeNotes("lift the cube", "robot_type: so100\n", None, "ümlaut: 'quoted'\nsecond line")
MS = 1_000_000
HEIGHT, WIDTH = 24, 32
IMAGE_BYTES = HEIGHT * WIDTH * 3


def picture(value: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def filled(folder: Path, images: int = 6, flush_every: int = 2) -> BagMaker:
    """Joint states and images, not yet closed; a flush after every two images."""
    maker = BagMaker(folder, NOTES)
    for k in range(images):
        maker.joint_state(BEGIN_NS + 40 * k * MS, ("a", "b"), np.array([k, -k]))
        maker.image("/top/image_raw", BEGIN_NS + (40 * k + 5) * MS, picture(k))
        if k % flush_every == flush_every - 1:
            maker.writer.flush()
    return maker
