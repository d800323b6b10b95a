"""The fenced blocks of the guides and what their languages promise.

    console   commands behind `$ ` and what they print: run, in order, and compared
    sh        commands for an arm, a ROS host or hours: read by the commands' own parsers
    python    compiled, its imports done; with title="name.py" a file that the guide's commands find
    yaml      read; with title="name.yaml" a file that the guide's commands find

Every other language is looked at by nobody but the reader: LOOKED_AT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = (ROOT / "README.md", *GUIDES, *sorted((ROOT / "src").glob("*/README.md")))
RUN_OR_READ = ("console", "sh", "python", "yaml")
LOOKED_AT = ("text", "xml", "cpp")

FENCE = re.compile(
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Fence:
    """One block. line: of its first fence, from 1. title: the file that the reader saves it as, or ""."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        page = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{page}:{self.line}"


@dataclass(frozen=True)
class Step:
    """A command of a console block, and the lines shown below it."""

    command: str
    shown: tuple[str, ...]


def fences(page: Path, *languages: str) -> list[Fence]:
    """The page's blocks of these languages, of all without any."""
    text = page.read_text()
    found = [
        Fence(page, text.count("\n", 0, match.start()) + 1, match["language"], match["title"] or "", match["text"])
        for match in FENCE.finditer(text)
    ]
    return [fence for fence in found if not languages or fence.language in languages]


def steps(console: Fence) -> list[Step]:
    """Raises ValueError where the block does not begin with a command."""
    found: list[tuple[str, list[str]]] = []
    for line in console.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif not found:
            raise ValueError(f"{console}: expected a line that begins with '$ ', found '{line}'")
        else:
            found[-1][1].append(line)
    return [Step(command, tuple(shown)) for command, shown in found]


def commands(shell: Fence) -> list[str]:
    """The command lines of a sh block, those that go on behind a backslash in one."""
    lines = shell.text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def matches(shown: Iterable[str], printed: Iterable[str]) -> bool:
    """Whether the lines are those of the guide. Numbers may differ, words may not; `...` is any number of lines."""
    expected, found = [_words(line) for line in shown], [_words(line) for line in printed]
    pattern = "".join(r"(?:[^\n]*\n)*?" if line == "..." else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in found)) is not None


def _words(line: str) -> str:
    without_numbers = re.sub(r"\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?", "0", line)
    return re.sub(r"\s+|-{2,}", " ", without_numbers).strip()
