"""Something that an examination found: what is so, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Severity(Enum):
    """A note is worth knowing; a problem keeps the arm from working as it should."""

    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Fix:
    """The one register that would be written, and what it holds now."""

    servo_id: int
    register: str
    before: int
    after: int


@dataclass(frozen=True)
class Finding:
    """`kind` is for tools, the rest for people."""

    severity: Severity
    kind: str
    subject: str
    found: str
    remedy: str
    fix: Fix | None = None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity.value}
