"""What the guides show behind `$ ` is what the commands print.

docs/so100_command.md is held to more, to the letter, by so100_hardware's own test of it.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
from console import GuideIsWrong, Reader
from fences import PAGES, ROOT, fences
from prepared import FOUND_THERE

sys.path.insert(0, str(ROOT / "src/so100_hardware/test/commands"))
from guide_transcripts import tell

TO_THE_LETTER = ROOT / "docs/so100_command.md"
RUN_HERE = [page for page in PAGES if fences(page, "console") and page != TO_THE_LETTER]
DOMAINS = itertools.count(os.getpid())


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `so100` prints on virtual arms."""
    here, columns = Path.cwd(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        return tell(tmp_path_factory.mktemp("arms"))
    finally:
        os.chdir(here)
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns


@pytest.fixture
def reader(tmp_path: Path, told: dict[str, str]) -> Reader:
    return Reader(tmp_path, 10 + next(DOMAINS) % 90, told)


@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_prints_what_the_guide_shows(page: Path, reader: Reader) -> None:
    assert reader.go_through(page, FOUND_THERE.get(page.name, lambda folder: None))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$ echo it moves\nit holds\n", "the guide shows\nit holds\n--- it prints\nit moves"),
        ("$ smolvla report gone --reports .\n...\n", "ended with 2"),
    ],
)
def test_a_guide_that_is_wrong_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "page").mkdir()
    page = ROOT / "docs" / "another_policy.md"
    wrong = tmp_path / "page" / page.name
    wrong.write_text(f"```console\n{text}```\n")
    with pytest.raises(GuideIsWrong, match=reason):
        Reader(tmp_path, 0, {}).go_through(wrong)
