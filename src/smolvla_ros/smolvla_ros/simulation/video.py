"""A video of what was recorded, drawn again by the viewer's camera in good quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.world import World

CAPTION_FONT, CAPTION_SCALE = cv2.FONT_HERSHEY_DUPLEX, 0.8
QUALITY_CRF = 20
SHEET_ROWS, SHEET_COLUMNS = 2, 3


def render_video(
    path: Path,
    embodiment: Embodiment,
    seed: int,
    stamps_s: np.ndarray,
    positions: np.ndarray,
    object_poses: Mapping[str, np.ndarray],
    caption: str,
    fps: int = 30,
    size: tuple[int, int] = (960, 720),
) -> None:
    """Writes H.264 to an mp4, whole or not at all, and beside it a PNG of six of its frames.

    stamps_s (T,) s from the start; positions (T, joints) rad; object_poses: name -> (T, 7) x y z qw qx qy qz, m.
    """
    width, height = size
    world = World(embodiment)
    world.reset(seed)
    renderer = Renderer(world, width, height, fine=True)
    part = path.with_suffix(".part.mp4")
    shown = set(np.linspace(0, len(stamps_s) - 1, SHEET_ROWS * SHEET_COLUMNS).astype(int).tolist())
    frames: list[np.ndarray] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": str(QUALITY_CRF)})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for t, stamp_s in enumerate(stamps_s):
                world.place(positions[t], {name: poses[t] for name, poses in object_poses.items()})
                renderer.take_state(world.data.qpos)
                image = captioned(renderer.draw("viewer"), caption, f"{stamp_s:4.1f} s")
                if t in shown:
                    frames.append(image)
                for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
    finally:
        renderer.close()
    part.replace(path)
    cv2.imwrite(str(path.with_name(f"{path.stem}_frames.png")), contact_sheet(frames)[..., ::-1])


def contact_sheet(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Frames (height, width, 3) in rows, early to late, at half their size."""
    small = [cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in frames]
    small += [np.zeros_like(small[0])] * (-len(small) % SHEET_COLUMNS)
    rows = [np.hstack(small[i : i + SHEET_COLUMNS]) for i in range(0, len(small), SHEET_COLUMNS)]
    return np.vstack(rows)


def captioned(image: np.ndarray, left: str, right: str) -> np.ndarray:
    """The image (height, width, 3) with a line of text at its foot."""
    image = np.ascontiguousarray(image)
    height, width = image.shape[:2]
    band = image[height - 52 :]
    band[:] = (band * 0.35).astype(np.uint8)
    for text, x in ((left, 18), (right, width - 100)):
        cv2.putText(image, text, (x, height - 18), CAPTION_FONT, CAPTION_SCALE, (255, 255, 255), 1, cv2.LINE_AA)
    return image
