"""A mapping of a YAML file, every look-up checked: errors name the field, what was expected and what was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")


class EmbodimentError(ValueError):
    """The embodiment file is missing or wrong. The message names the field, what was expected and what was found."""


class Section:
    """A mapping of the file with the name it has for the operator; every look-up is checked."""

    def __init__(self, file: Path, name: str, raw: Any) -> None:
        self.file, self.name = file, name
        if not isinstance(raw, Mapping):
            raise self.error("", "a mapping", raw)
        self.raw = dict(raw)

    def error(self, field: str, expected: str, found: Any) -> EmbodimentError:
        where = ".".join(part for part in (self.name, field) if part) or "the file"
        return EmbodimentError(f"{self.file}: {where}: expected {expected}, found {found!r}")

    def take(self, field: str) -> Any:
        if field not in self.raw:
            raise EmbodimentError(f"{self.file}: {'.'.join(p for p in (self.name, field) if p)}: missing")
        return self.raw.pop(field)

    def finish(self) -> None:
        for field, value in self.raw.items():
            raise self.error(str(field), "no such field (misspelt?)", value)

    def text(self, field: str, choices: tuple[str, ...] = ()) -> str:
        value = self.take(field)
        if not isinstance(value, str) or not value or (choices and value not in choices):
            raise self.error(field, f"one of {', '.join(choices)}" if choices else "a text", value)
        return value

    def optional(self, field: str, take: Callable[[str], _T]) -> _T | None:
        return take(field) if field in self.raw else None

    def number(self, field: str, above: float = -math.inf) -> float:
        return self._number(field, self.take(field), above)

    def integer(self, field: str, lowest: int, highest: int) -> int:
        return self._integer(field, self.take(field), lowest, highest)

    def number_pair(self, field: str) -> tuple[float, float]:
        low, high = self._pair(field)
        pair = self._number(field, low), self._number(field, high)
        if pair[0] >= pair[1]:
            raise self.error(field, "[lower, upper] with lower below upper", [low, high])
        return pair

    def numbers(self, field: str, count: int) -> tuple[float, ...]:
        value = self.take(field)
        if not isinstance(value, list) or len(value) != count:
            raise self.error(field, f"a list of {count} numbers", value)
        return tuple(self._number(field, item) for item in value)

    def integer_pair(self, field: str, lowest: int, highest: int) -> tuple[int, int]:
        low, high = self._pair(field)
        pair = self._integer(field, low, lowest, highest), self._integer(field, high, lowest, highest)
        if pair[0] >= pair[1]:
            raise self.error(field, "[min, max] with min below max", [low, high])
        return pair

    def section(self, field: str) -> Section:
        return Section(self.file, ".".join(p for p in (self.name, field) if p), self.take(field))

    def sections(self, field: str) -> list[Section]:
        value = self.take(field)
        if not isinstance(value, list):
            raise self.error(field, "a list", value)
        label = ".".join(p for p in (self.name, field) if p)
        named = [item.get("name", i) if isinstance(item, Mapping) else i for i, item in enumerate(value)]
        return [Section(self.file, f"{label}[{name}]", item) for name, item in zip(named, value, strict=True)]

    def _pair(self, field: str) -> list[Any]:
        value = self.take(field)
        if not isinstance(value, list) or len(value) != 2:
            raise self.error(field, "a list of two numbers", value)
        return value

    def _number(self, field: str, value: Any, above: float = -math.inf) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= above:
            raise self.error(field, "a number" if above == -math.inf else f"a number above {above:g}", value)
        return float(value)

    def _integer(self, field: str, value: Any, lowest: int, highest: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise self.error(field, f"a whole number from {lowest} to {highest}", value)
        return value

    def unique(self, field: str, key: str, values: list[Any]) -> None:
        for value in values:
            if values.count(value) > 1:
                raise self.error(f"{field}.{key}", "different values", value)
