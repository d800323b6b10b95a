"""docs/so100_command.md: its commands run and print what it shows, and its table is the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guide_transcripts import BLOCK, GUIDE, tell, written_into
from so100_hardware.cli import make_parser

import so100_hardware

TEXT = GUIDE.read_text()
PACKAGE = Path(so100_hardware.__file__).parent


def test_every_command_prints_what_the_guide_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To write it anew: python src/so100_hardware/test/commands/guide_transcripts.py."""
    monkeypatch.chdir(tmp_path)  # comes back at the end
    found = tell(tmp_path)
    assert written_into(TEXT, found).split("\n") == TEXT.split("\n")
    assert {match["command"] for match in BLOCK.finditer(TEXT)} == set(found)


def test_the_table_of_kinds_is_the_code_s() -> None:
    sources = "".join(path.read_text() for path in (PACKAGE / "workshop").glob("*.py"))
    told = re.findall(r'(?:tell\.(?:problem|note)|examination\.add)\(\s*"(\w+)"', sources)
    told += re.findall(r'Severity\.PROBLEM,\s*"(\w+)"', sources) + re.findall(r'Error: "(\w+)",', sources)
    told += re.findall(r'kind = "(\w+)" if \w+ else "(\w+)"', sources)[0] + ("bus",)
    table = re.search(r"\| kind .*?\n\n", TEXT, re.DOTALL)
    assert table
    first_cells = [row.split("|")[1] for row in table[0].strip().split("\n")[2:]]
    assert set(re.findall(r"`(\w+)`", "".join(first_cells))) == set(told)


def test_the_table_of_commands_and_the_options_are_the_parser_s() -> None:
    commands = next(action for action in make_parser()._actions if action.choices).choices
    assert set(re.findall(r"^\| `so100 ([\w-]+)` \|", TEXT, re.MULTILINE)) == set(commands)
    known = {option for parser in commands.values() for action in parser._actions for option in action.option_strings}
    outside = BLOCK.sub("", TEXT)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", outside)) - {"--link"} <= known
