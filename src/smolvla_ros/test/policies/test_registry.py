"""A class of anybody's as the policy; docs/another_policy.md has a whole one, which a test runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.policies.registry import UnknownPolicy, make_policy
from smolvla_ros.policies.scripted import ScriptedPolicy


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "somebodys_policy.py"


def test_a_class_is_made_with_the_embodiment() -> None:
    assert isinstance(make_policy("smolvla_ros.policies.scripted:ScriptedPolicy", load_embodiment()), ScriptedPolicy)


def test_a_class_that_is_no_policy_is_refused_with_what_it_lacks(module: Path) -> None:
    module.write_text("class Half:\n    name, cameras = 'half', ()\n    def infer(self, observation): ...\n")
    with pytest.raises(UnknownPolicy, match="found none called needs_objects, reset, for_another_robot"):
        make_policy("somebodys_policy:Half", load_embodiment())


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("no_such_module:Policy", "No module named 'no_such_module'"),
        ("smolvla_ros.policies.scripted:Gone", "has no attribute 'Gone'"),
    ],
)
def test_a_class_that_is_not_there_is_told_with_where_it_was_looked_for(name: str, found: str) -> None:
    with pytest.raises(UnknownPolicy, match=f"expected a class .*PYTHONPATH.*{found}"):
        make_policy(name, load_embodiment())
