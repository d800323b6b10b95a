"""The core knows no ROS: only nodes/ may import it, so that a training server needs none."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import smolvla_ros

ROOT = Path(smolvla_ros.__file__).parent
ROS = ("rclpy", "builtin_interfaces", "rcl_interfaces", "action_msgs", "std_srvs", "launch", "launch_ros")


def imported(file: Path) -> set[str]:
    """Top-level packages that a file imports at its top, not inside a function."""
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_only_nodes_import_ros() -> None:
    for file in ROOT.rglob("*.py"):
        if "nodes" not in file.relative_to(ROOT).parts:
            found = {name for name in imported(file) if name in ROS or name.endswith("_msgs")}
            assert not found, f"{file.relative_to(ROOT)} imports {found}"


def test_lower_layers_import_nothing_from_upper_ones() -> None:
    """embodiment, units < the folders below < runtime, commands, nodes."""
    upper = ("smolvla_ros.runtime", "smolvla_ros.commands", "smolvla_ros.nodes", "smolvla_ros.cli")
    core = ("model", "execution", "data", "bags", "recording", "conversion", "simulation", "policies", "cameras")
    for folder in (*core, "collision"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(upper):
                    allowed = folder == "model" and "Error" in node.names[0].name
                    assert allowed, f"{file.relative_to(ROOT)} imports {node.module}"


def test_the_command_works_on_a_host_without_ros(tmp_path: Path) -> None:
    block = "import sys; sys.modules.update(dict.fromkeys(('rclpy', 'smolvla_msgs', 'so100_hardware'))); "
    script = block + "from smolvla_ros.cli import main; sys.exit(main(sys.argv[1:]))"
    made = subprocess.run(
        [sys.executable, "-c", script, "checkpoint", "init", str(tmp_path / "made")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    refused = subprocess.run([sys.executable, "-c", script, "run"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "needs ROS 2" in refused.stderr
    assert "Traceback" not in refused.stderr
