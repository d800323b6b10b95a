"""The tables of the READMEs and of docs/embodiment.md say what the code says."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
from smolvla_ros.nodes import camera, executor, motion_display, policy, recorder, simulator

from smolvla_ros import embodiment

PACKAGE_README = (Path(__file__).parents[1] / "README.md").read_text()
ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()


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


def quoted_messages() -> list[str]:
    """What the first column of README's table of troubles puts in backticks and is no name."""
    table = README.split("\n## Troubleshooting\n", 1)[1].split("\n## ", 1)[0]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")]
    return [text for cell in first_cells for text in re.findall(r"`([^`]+)`", cell) if " " in text]


@pytest.mark.parametrize("message", quoted_messages())
def test_messages_that_readme_explains_are_those_of_the_programs(message: str) -> None:
    for part in message.split("..."):
        assert part.strip() in spoken(), part


@cache
def spoken() -> str:
    """The sources with literals that stand side by side joined, as the compilers join them."""
    files = [file for pattern in ("*/*/**/*.py", "*/src/*.cpp") for file in (ROOT / "src").glob(pattern)]
    text = "\n".join(file.read_text() for file in sorted(files) if "test" not in file.parts)
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_every_message_service_and_action_is_in_the_table_of_its_package() -> None:
    package = ROOT / "src/smolvla_msgs"
    files = {str(path.relative_to(package)) for kind in ("msg", "srv", "action") for path in package.glob(f"{kind}/*")}
    table = re.findall(r"^\| \[(\w+)\]\(([\w./]+)\) \|", (package / "README.md").read_text(), re.MULTILINE)
    assert {file for _, file in table} == files
    assert all(Path(file).stem == name for name, file in table)


def test_the_fields_of_the_embodiment_guide_are_those_of_the_file() -> None:
    guide = (ROOT / "docs/embodiment.md").read_text()
    for heading, kind in (("joint", embodiment.Joint), ("camera", embodiment.Camera)):
        table = re.search(rf"\| {heading} \|.*?\n\n", guide, re.DOTALL)
        assert table
        first_cells = "".join(row.split("|")[1] for row in table[0].strip().splitlines()[2:])
        assert set(re.findall(r"`(\w+)`", first_cells)) == {field.name for field in fields(kind)}
