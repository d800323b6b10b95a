"""Stamped streams become an episode: what a bag, a running recorder or a test gives is the same here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smolvla_ros.data.alignment import align, clock
from smolvla_ros.data.recorded_episode import RecordedEpisode


@dataclass(frozen=True)
class ValueStream:
    """stamps_ns (samples,) ascending int64; values (samples, *shape) in the feature's units."""

    stamps_ns: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class ImageStream:
    """stamps_ns (samples,) ascending int64. image: sample -> (height, width, 3) uint8 RGB, decoded when asked for."""

    stamps_ns: np.ndarray
    image: Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Recording:
    """What was recorded while one task was done: features and their streams, stamped by one clock."""

    task: str
    values: Mapping[str, ValueStream]
    images: Mapping[str, ImageStream] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def episode_of(recording: Recording, fps: int, max_age_s: float) -> RecordedEpisode:
    """At each step of 1 / fps the latest sample of each stream. Raises DatasetError, GapError."""
    streams: dict[str, ValueStream | ImageStream] = {**recording.values, **recording.images}
    stamps = {name: stream.stamps_ns for name, stream in streams.items()}
    chosen = align(clock(stamps, fps), stamps, max_age_s)
    return RecordedEpisode(
        task=recording.task,
        columns={name: stream.values[chosen[name]] for name, stream in recording.values.items()},
        images={name: _Pictures(stream.image, chosen[name]) for name, stream in recording.images.items()},
        notes=recording.notes,
    )


@dataclass(frozen=True)
class _Pictures:
    """A picture a step; one that several steps show is decoded once."""

    image: Callable[[int], np.ndarray]
    samples: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        held, picture = -1, np.empty(0)
        for sample in self.samples:
            if sample != held:
                held, picture = int(sample), self.image(int(sample))
            yield picture
