"""What is known of an episode besides its messages. It is kept three times.

In the bag's file from its first byte on (an MCAP metadata record), since a recording may end at any moment; on a
latched topic, so that whoever plays the bag sees it; and in metadata.yaml, which alone is rewritten when the operator
labels an episode afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import yaml

TOPIC = "recorder/episode"
MESSAGE_TYPE = "std_msgs/msg/String"
RECORD_NAME = "smolvla_episode"
_WORDS = {True: "true", False: "false", None: ""}


@dataclass(frozen=True)
class EpisodeNotes:
    """embodiment: the text of the embodiment file. succeeded: the operator's word; None where there is none."""

    instruction: str
    embodiment: str = ""
    succeeded: bool | None = None
    note: str = ""

    def labelled(self, succeeded: bool, note: str) -> EpisodeNotes:
        """An empty note leaves the one before."""
        return replace(self, succeeded=succeeded, note=note or self.note)

    def to_texts(self) -> dict[str, str]:
        return {
            "instruction": self.instruction,
            "success": _WORDS[self.succeeded],
            "note": self.note,
            "embodiment": self.embodiment,
        }

    def to_yaml(self) -> str:
        """As the latched topic has it."""
        return yaml.safe_dump(self.to_texts(), sort_keys=False, allow_unicode=True)


def notes_of(texts: Mapping[str, str]) -> EpisodeNotes | None:
    """None where there are none, as in a bag that another program recorded."""
    if "instruction" not in texts:
        return None
    succeeded = {word: value for value, word in _WORDS.items()}.get(texts.get("success", ""))
    return EpisodeNotes(texts["instruction"], texts.get("embodiment", ""), succeeded, texts.get("note", ""))
