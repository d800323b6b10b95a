"""README's tables against the SRDF and the folder."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
README = (PACKAGE / "README.md").read_text()
SRDF = (PACKAGE / "config/so100.srdf.xacro").read_text()


def test_the_groups_and_their_poses_are_the_srdf_s() -> None:
    table = README.split("| group | joints | poses |")[1].split("\n\n")[0]
    rows = {re.findall(r"`(\w+)`", row)[0]: row.split("|")[3] for row in table.splitlines() if row.startswith("| `")}
    assert set(rows) == set(re.findall(r'<group name="(\w+)"', SRDF))
    for name, group in re.findall(r'<group_state name="(\w+)" group="(\w+)"', SRDF):
        assert f"`{name}`" in rows[group], (name, group)


def test_the_table_of_files_is_the_folder_s() -> None:
    table = README.split("| file | what |")[1].split("\n\n")[0]
    listed = set(re.findall(r"`(config/[\w.]+)`", table))
    assert listed == {f"config/{path.name}" for path in (PACKAGE / "config").iterdir()}
