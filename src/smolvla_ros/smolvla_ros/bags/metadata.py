"""metadata.yaml: what rosbag2 looks at before it opens a bag's file. Version 9, which is Jazzy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smolvla_ros.bags.errors import mismatch
from smolvla_ros.bags.topic import Topic
from smolvla_ros.data.whole_file import whole_file

METADATA_FILE = "metadata.yaml"
VERSION = 9
ROOT = "rosbag2_bagfile_information"


@dataclass(frozen=True)
class Contents:
    """What a bag's file holds. start_ns, end_ns: of the first and last message, 0 without any. counts: by topic."""

    file: str
    start_ns: int
    end_ns: int
    topics: Sequence[Topic]
    counts: Mapping[str, int]

    @property
    def messages(self) -> int:
        return sum(self.counts.values())


def metadata_of(contents: Contents, custom_data: Mapping[str, str]) -> dict[str, Any]:
    span = {
        "starting_time": {"nanoseconds_since_epoch": contents.start_ns},
        "duration": {"nanoseconds": contents.end_ns - contents.start_ns},
        "message_count": contents.messages,
    }
    topics = [
        {
            "topic_metadata": {
                "name": topic.name,
                "type": topic.type,
                "serialization_format": "cdr",
                "offered_qos_profiles": [dict(profile) for profile in topic.qos],
                "type_description_hash": topic.type_hash,
            },
            "message_count": contents.counts.get(topic.name, 0),
        }
        for topic in contents.topics
    ]
    return {
        "version": VERSION,
        "storage_identifier": "mcap",
        **span,
        "topics_with_message_count": topics,
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [contents.file],
        "files": [{"path": contents.file, **span}],
        "custom_data": dict(custom_data),
        "ros_distro": "jazzy",
    }


def write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    with whole_file(folder / METADATA_FILE) as part:
        part.write_text(as_yaml({ROOT: dict(metadata)}), encoding="utf-8")


def read_metadata(folder: Path) -> dict[str, Any]:
    """Raises BagError."""
    path = folder / METADATA_FILE
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise mismatch(path, "rosbag2's metadata", said, "write it anew: smolvla dataset repair-bag") from None
    found = raw.get(ROOT) if isinstance(raw, Mapping) else None
    if not isinstance(found, Mapping):
        raise mismatch(path, f"a mapping {ROOT}", type(raw).__name__, "write it anew: smolvla dataset repair-bag")
    return dict(found)


def relabel(folder: Path, custom: Mapping[str, str]) -> None:
    """Writes the operator's later words. Raises BagError, OSError."""
    write_metadata(folder, {**read_metadata(folder), "custom_data": dict(custom)})


def custom_data(metadata: Mapping[str, Any]) -> dict[str, str]:
    found = metadata.get("custom_data")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def as_yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)


class _NoAliases(yaml.SafeDumper):
    """Equal parts are written out each time: rosbag2's reader need not know references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
