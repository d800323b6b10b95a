"""Episodes without what lies before the arm sets out and after it has come to rest, or without given seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from smolvla_ros.data.dataset import Dataset
from smolvla_ros.data.dataset_parts import part_of, picture_statistics
from smolvla_ros.data.episode_part import EpisodePart
from smolvla_ros.data.errors import mismatch
from smolvla_ros.data.features import ACTION, STATE
from smolvla_ros.data.video_cuts import clean_cuts, cut

DEPARTED = 0.02
"""Share of a joint's range in the dataset by which it has left where it rested: above a servo's noise."""

NEAR_S = 0.25
"""How much of what is still may stay so that nothing is encoded again."""


@dataclass(frozen=True)
class Span:
    """Frames of an episode that stay: first to end - 1."""

    first: int
    end: int


def moving_span(values: np.ndarray, reach: np.ndarray) -> Span:
    """From the last frame at which all is still where it began to the first from which all is where it ends.

    values (frames, components), reach (components,). All frames where nothing moves.
    """
    begun = (np.abs(values - values[0]) > DEPARTED * reach).any(axis=1)
    ended = (np.abs(values - values[-1]) > DEPARTED * reach).any(axis=1)
    if not begun.any():
        return Span(0, len(values))
    return Span(max(0, int(np.argmax(begun)) - 1), min(len(values), len(values) - int(np.argmax(ended[::-1])) + 1))


def still_spans(dataset: Dataset, places: Sequence[int], margin_s: float) -> dict[int, Span]:
    """Of each of these episodes what is not still, with margin_s more at both ends.

    Where its videos can be copied from a little earlier or up to a little later, those frames stay too.
    """
    names = [name for name in (STATE, ACTION) if name in dataset.columns]
    if not names:
        raise mismatch(dataset.root, f"a feature {STATE} or {ACTION}", "neither", "give seconds to cut instead")
    values = np.concatenate([dataset.column(name).reshape(len(dataset), -1) for name in names], axis=1).astype(float)
    reach, margin = np.ptp(values, axis=0), round(margin_s * dataset.info.fps)
    found = {}
    for place in places:
        episode = dataset.episodes[place]
        span = moving_span(values[episode.start : episode.end], np.maximum(reach, 1e-9))
        wide = Span(max(0, span.first - margin), min(episode.length, span.end + margin))
        found[place] = _at_key_frames(dataset, place, wide)
    return found


def timed_spans(dataset: Dataset, places: Sequence[int], start_s: float, end_s: float) -> dict[int, Span]:
    """Each of these episodes without its first start_s and last end_s seconds. Raises DatasetError: none is left."""
    cut_first, cut_last = round(start_s * dataset.info.fps), round(end_s * dataset.info.fps)
    found = {}
    for place in places:
        episode = dataset.episodes[place]
        if cut_first + cut_last >= episode.length:
            lasts = f"{episode.length / dataset.info.fps:.2f} s"
            remedy = "cut less, choose other episodes, or delete it"
            raise mismatch(f"episode {episode.index}", f"more than {start_s + end_s:g} s", lasts, remedy)
        found[place] = Span(cut_first, episode.length - cut_last)
    return found


def trimmed_parts(dataset: Dataset, spans: Mapping[int, Span], folder: Path) -> Iterator[EpisodePart]:
    """All episodes, those at the places that `spans` names cut. `folder` holds videos until the parts are used."""
    for place, episode in enumerate(dataset.episodes):
        part, span = part_of(dataset, place), spans.get(place, Span(0, episode.length))
        if span == Span(0, episode.length):
            yield part
            continue
        rows, info = slice(span.first, span.end), dataset.info
        start, end = episode.start + span.first, episode.start + span.end
        yield replace(
            part,
            tasks=part.tasks[rows],
            columns={name: values[rows] for name, values in part.columns.items()},
            videos={
                camera: cut(video, span.first, span.end, info.features[camera], info.fps, folder)
                for camera, video in part.videos.items()
            },
            image_statistics={camera: picture_statistics(dataset, camera, start, end) for camera in info.cameras},
        )


def _at_key_frames(dataset: Dataset, place: int, span: Span) -> Span:
    """Wider, as far as the next frames at which all its videos can be cut without encoding."""
    episode = dataset.episodes[place]
    cuts = set(range(episode.length + 1))
    for video in episode.videos.values():
        cuts &= set(clean_cuts(video, dataset.info.fps))
    near = round(NEAR_S * dataset.info.fps)
    return Span(
        max((c for c in cuts if span.first - near <= c <= span.first), default=span.first),
        min((c for c in cuts if span.end <= c <= span.end + near), default=span.end),
    )
