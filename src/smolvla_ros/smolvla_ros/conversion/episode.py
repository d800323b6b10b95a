"""One bag to one episode of a dataset, in whichever process."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from smolvla_ros.bags.errors import BagError, mismatch
from smolvla_ros.bags.reader import Bag, open_bag
from smolvla_ros.conversion.recording_of_bag import recording_of
from smolvla_ros.data.alignment import NANOSECONDS, clock
from smolvla_ros.data.errors import DatasetError
from smolvla_ros.data.streams import ImageStream, Recording, ValueStream, episode_of
from smolvla_ros.data.writer import write_part
from smolvla_ros.embodiment import Embodiment

BAG_ID = "bag"
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class StorageFull(RuntimeError):
    """No room on the disk that is written to. What is whole is kept; the same command goes on."""


@dataclass(frozen=True)
class Conversion:
    """max_age_s: the oldest sample that a step may show. task: in place of the bags' instructions, "" for theirs."""

    fps: int
    max_age_s: float
    task: str = ""


@dataclass(frozen=True)
class Late:
    """Steps whose newest sample of a stream was older than its usual distance and a half, and the oldest."""

    stream: str
    steps: int
    age_s: float


@dataclass(frozen=True)
class Converted:
    """What became of a bag. refused: why it was not taken, "" where it was."""

    bag: Path
    frames: int = 0
    late: tuple[Late, ...] = ()
    refused: str = ""


def bag_id(bag: Bag) -> str:
    """Tells bags apart wherever they lie: name, first arrival, messages."""
    return f"{bag.path.resolve().name}:{bag.start_ns}:{bag.messages_held}"


def convert_bag(
    path: Path,
    root: Path,
    index: int,
    embodiment: Embodiment,
    conversion: Conversion,
    counted: Callable[[], None] = lambda: None,
) -> Converted:
    """Writes the bag as part `index` of the dataset at `root`. `counted` is called for each picture that is encoded.

    Raises StorageFull. A bag that cannot be taken is no error here.
    """
    try:
        with open_bag(path) as bag:
            recording = recording_of(bag, embodiment, conversion.fps, conversion.task)
            if not recording.task.strip():
                remedy = "say what was done: --task 'pick up the cube'"
                raise mismatch(bag.path, "an instruction recorded with it", "none", remedy)
            recording = replace(recording, notes={**recording.notes, BAG_ID: bag_id(bag)})
        episode = episode_of(recording, conversion.fps, conversion.max_age_s)
        images = {name: _Counted(pictures, counted) for name, pictures in episode.images.items()}
        write_part(root, index, replace(episode, images=images))
    except (BagError, DatasetError) as refusal:
        return Converted(path, refused=str(refusal))
    except (OSError, av.FFmpegError) as error:
        if getattr(error, "errno", None) in FULL:
            raise StorageFull(
                f"{root}: expected room for the dataset, found the disk full ({error.strerror}); make room and run the "
                "same command again: it goes on where it stopped"
            ) from None
        raise
    return Converted(path, episode.frames, late_steps(recording, conversion.fps))


def late_steps(recording: Recording, fps: int) -> tuple[Late, ...]:
    """Where a stream missed samples, though not for long enough to be refused."""
    streams: dict[str, ValueStream | ImageStream] = {**recording.values, **recording.images}
    steps = clock({name: stream.stamps_ns for name, stream in streams.items()}, fps)
    found = []
    for name, stream in streams.items():
        stamps = stream.stamps_ns
        if len(stamps) < 3:
            continue
        ages = steps - stamps[np.searchsorted(stamps, steps, side="right") - 1]
        late = ages > 1.5 * np.median(np.diff(stamps))
        if late.any():
            found.append(Late(name, int(late.sum()), float(ages.max()) / NANOSECONDS))
    return tuple(found)


@dataclass(frozen=True)
class _Counted:
    pictures: Iterable[np.ndarray]
    counted: Callable[[], None]

    def __iter__(self) -> Iterator[np.ndarray]:
        for picture in self.pictures:
            yield picture
            self.counted()
