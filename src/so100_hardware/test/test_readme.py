"""The README's tables against the code."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
README = (PACKAGE / "README.md").read_text()
NODE = (PACKAGE / "so100_hardware/nodes/so100_driver.py").read_text()


def first_column(heading: str) -> set[str]:
    table = re.search(rf"\| {heading} \|.*?\n\n", README, re.DOTALL)
    assert table is not None
    return set(re.findall(r"^\| `([^`]+)`", table[0], re.MULTILINE))


def test_the_table_of_parameters_is_the_node_s() -> None:
    assert first_column("parameter") == set(re.findall(r'declare_parameter\(\s*"(\w+)"', NODE))


def test_the_leader_s_tables_are_its_node_s() -> None:
    node = (PACKAGE / "so100_hardware/nodes/so100_leader.py").read_text()
    assert first_column("leader's parameter") == set(re.findall(r'self\._(?:text|number)\(\s*"(\w+)"', node))
    topics = re.findall(r'create_(?:publisher|subscription)\(\s*\w+,\s*"([\w/]+)"', node)
    assert first_column("leader's topic") == set(topics)
    assert len(topics) == 3


def test_the_tables_of_the_block_name_what_the_parser_knows() -> None:
    parser = (PACKAGE / "src/arm_config.cpp").read_text()
    known = set(re.findall(r'(?:text|number|whole|more_than_zero|yes_or_no)\("(\w+)"', parser))
    block = README.split("| `<hardware>`")[1].split("| topic |")[0]
    listed = {name for row in re.findall(r"^\| (`.*?) \|", block, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert listed == known


def test_the_table_of_topics_is_the_node_s() -> None:
    topics = re.findall(r'create_(?:publisher|subscription|service)\(\s*\w+, "([\w/~]+)"', NODE)
    assert first_column("topic") == set(topics)
    assert len(topics) == 7
