"""A web page of episodes: videos, curves of all numbers, tasks and notes. It needs no server and no network.

Videos lie in the page, or are linked where they are in the dataset.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from smolvla_ros.data.commit import read_notes
from smolvla_ros.data.curves import colour_of, drawing
from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.episodes import Episode
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import ACTION, INDEX_FEATURES, STATE
from smolvla_ros.data.video_slices import VideoSlice, join
from smolvla_ros.data.whole_file import whole_file

MOST_EMBEDDED_BYTES = 200_000_000
"""Browsers open larger pages slowly or not at all."""
STRIP, STRIP_WIDTH = 6, 160
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
{style}</style>
<h1>{title}</h1>
<p class="facts">{facts}</p>
{episodes}
<script>
{script}</script>
</html>
"""


def write_page(dataset: Dataset, places: Sequence[int], path: Path, link: bool) -> None:
    """Writes the page of these episodes. Raises DatasetError: they are too many to lie in a page."""
    size = sum(v.size_bytes(dataset.info.fps) for p in places for v in dataset.episodes[p].videos.values())
    if not link and size > MOST_EMBEDDED_BYTES:
        remedy = "choose some with --episodes, or link the videos with --link"
        raise mismatch(path, f"videos of at most {MOST_EMBEDDED_BYTES / 1e6:g} MB", f"{size / 1e6:.0f} MB", remedy)
    folder, info = Path(__file__).parent, dataset.info
    with whole_file(path) as part, part.open("w", encoding="utf-8") as out:
        episodes = "\n".join(_episode(dataset, place, path.parent, link, place == places[0]) for place in places)
        facts = f"{info.robot_type or ''} {info.version}, {len(places)} of {len(dataset.episodes)} episodes, "
        page = PAGE.format(
            title=escape(dataset.root.resolve().name),
            facts=escape(facts + f"{info.fps} frames a second"),
            episodes=episodes,
            style=(folder / "view.css").read_text(encoding="utf-8"),
            script=(folder / "view.js").read_text(encoding="utf-8"),
        )
        out.write(page)


def _episode(dataset: Dataset, place: int, folder: Path, link: bool, first: bool) -> str:
    episode, fps = dataset.episodes[place], dataset.info.fps
    seconds = episode.length / fps
    cameras = "".join(_camera(dataset, episode, camera, folder, link) for camera in dataset.info.cameras)
    note = {n["episode_index"]: n for n in read_notes(dataset.root, dataset.info)}.get(episode.index, {})
    notes = {name: value for name, value in note.items() if name != "episode_index"}
    said = f"<pre>{escape(json.dumps(notes, ensure_ascii=False, indent=1))}</pre>" if notes else ""
    numbers = _curves(dataset, episode, seconds)
    return (
        f'<details class="episode"{" open" if first else ""}><summary>Episode {episode.index}: '
        f"{escape('; '.join(episode.tasks))} <span>{episode.length} frames, {seconds:.1f} s</span></summary>"
        f'<div class="cameras">{cameras}</div>'
        f'<div class="play"><button type="button">Play</button>'
        f'<input type="range" min="0" max="{(episode.length - 1) / fps:.6f}" step="{1 / fps:.6f}" value="0" '
        f'aria-label="time"><output>0.00 s</output></div>{numbers}{said}</details>'
    )


def _camera(dataset: Dataset, episode: Episode, camera: str, folder: Path, link: bool) -> str:
    numbers = np.round(np.linspace(0, episode.length - 1, STRIP)).astype(int)
    strip = "".join(
        f'<img src="{_jpeg(dataset.image(camera, episode.start + n))}" alt="frame {n}" title="frame {n}">'
        for n in dict.fromkeys(numbers.tolist())
    )
    video = ""
    if camera in episode.videos:
        source, start = _source(episode.videos[camera], dataset.info.fps, folder, link)
        video = f'<video muted playsinline preload="metadata" data-start="{start:.6f}" src="{source}"></video>'
    return f'<figure><figcaption>{escape(camera)}</figcaption>{video}<div class="strip">{strip}</div></figure>'


def _source(video: VideoSlice, fps: int, folder: Path, link: bool) -> tuple[str, float]:
    """What a page in `folder` shows, and at which second of it the episode begins."""
    if link:
        return escape(Path(os.path.relpath(video.path, folder)).as_posix()), video.start_s
    with TemporaryDirectory() as work:
        clip = Path(work) / "clip.mp4"
        join(clip, [video], fps)
        return f"data:video/mp4;base64,{base64.b64encode(clip.read_bytes()).decode()}", 0.0


def _jpeg(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    small = cv2.resize(image, (STRIP_WIDTH, max(1, height * STRIP_WIDTH // width)), interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    return f"data:image/jpeg;base64,{base64.b64encode(coded.tobytes()).decode()}"


def _curves(dataset: Dataset, episode: Episode, seconds: float) -> str:
    """State and action of the same component in one drawing, every other feature in drawings of its own."""
    columns = {
        name: dataset.columns[name][episode.start : episode.end].reshape(episode.length, -1)
        for name in dataset.info.numbers
        if name not in INDEX_FEATURES
    }
    together = [name for name in (STATE, ACTION) if name in columns]
    if len({columns[name].shape[1] for name in together}) > 1:
        together = together[:1]
    groups = [together] * bool(together) + [[name] for name in columns if name not in together]
    drawings = []
    for group in groups:
        feature = dataset.info.features[group[0]]
        for place in range(columns[group[0]].shape[1]):
            names, units = feature.component_names, feature.units
            named = names[place] if len(names) == columns[group[0]].shape[1] else f"{group[0]} {place}"
            lines = {name: columns[name][:, place] for name in group}
            drawings.append(drawing(named, units[place] if units else "", lines, seconds))
    key = "".join(f'<i style="background:{colour_of(name, 0)}"></i>{escape(name)}' for name in together)
    return f'<p class="key">{key}</p><div class="curves">{"".join(drawings)}</div>'
