"""No block of a guide is of a kind that nothing looks at, and the comparison of outputs tells what it should."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import yaml
from fences import LOOKED_AT, PAGES, ROOT, RUN_OR_READ, fences, matches, steps


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    for fence in fences(page):
        assert fence.language in RUN_OR_READ + LOOKED_AT, f"{fence}: language '{fence.language}'"
        commanding = ("$ ", "smolvla ", "so100 ", "ros2 ", "make ", "plain_host/")
        if fence.language in LOOKED_AT:
            assert not fence.text.startswith(commanding), f"{fence}: a command is console or sh"
    assert page.read_text().count("\n```") + page.read_text().startswith("```") == 2 * len(fences(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_compiles_and_its_imports_are_there(page: Path) -> None:
    titles = {Path(fence.title).stem for fence in fences(page) if fence.title}
    for fence in fences(page, "python"):
        tree = ast.parse(fence.text, str(fence))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module not in titles
                and not (node.module or "").startswith("lerobot")
            ):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{fence}: {node.module} has no {alias.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_yaml_is_yaml(page: Path) -> None:
    for fence in fences(page, "yaml"):
        assert yaml.safe_load(fence.text), fence


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_numbers_and_widths_may_differ_and_words_may_not() -> None:
    shown = ["step 2/6  loss 2.7996", "...", "| name | done |", "|------|------|", "report  reports/eval.json"]
    end = ["|--|--|", "report reports/eval.json"]
    assert matches(shown, ["step 4/6 loss 3.1", "| name | done |", *end])
    assert matches(shown, ["step 4/6 loss 3.1", "anything", "else", "|  name  | done |", *end])
    assert not matches(shown, ["step 4/6 loss 3.1", "| name | NOT done |", *end])
    assert not matches(shown, ["step 4/6 loss 3.1", "| name | done |", *end, "more"])
    assert not matches(["it holds"], [])


def test_a_console_block_is_commands_with_what_they_print(tmp_path: Path) -> None:
    page = ROOT / "docs" / "so100_command.md"
    first = steps(fences(page, "console")[0])[0]
    assert first.command.startswith("so100 setup-motors")
    assert "connect the servo of gripper" in first.shown[0]
