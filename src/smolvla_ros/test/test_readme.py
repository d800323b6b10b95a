"""The tables of README.md say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from smolvla_ros.nodes import camera, executor, motion_display, policy, recorder, simulator

PACKAGE_README = (Path(__file__).parents[1] / "README.md").read_text()
README = (Path(__file__).parents[3] / "README.md").read_text()


def table_of(node: str) -> list[list[str]]:
    section = PACKAGE_README.split(f"\n## {node}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.*?)\| (.*?) \|$", section, re.MULTILINE)
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("node", [policy, executor, motion_display, recorder, simulator, camera])
def test_parameters_are_those_of_the_code(node) -> None:
    expected = [
        [
            parameter.name,
            str(parameter.default) or '""',
            f"{parameter.bounds[0]} to {parameter.bounds[1]}" if parameter.bounds else "",
            parameter.description,
        ]
        for parameter in node.PARAMETERS
    ]
    assert table_of(node.__name__.rsplit(".", 1)[1]) == expected


def test_topics_and_services_that_readme_names_are_in_the_sources() -> None:
    sources = "".join(path.read_text() for path in (Path(__file__).parents[2]).glob("*/*/nodes/*.py"))
    named = re.findall(r"^\| `/([\w/<>]+)` \|", README, re.MULTILINE)
    assert len(named) > 15
    for name in named:
        last = name.split("/", 1)[1] if name.startswith("<camera>") else name
        assert last.rsplit("/", 1)[-1] in sources, name
