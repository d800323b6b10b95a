"""The robot's URDF, made from the xacro that the embodiment file names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from smolvla_ros.embodiment import Embodiment


class DescriptionError(RuntimeError):
    """The URDF could not be made."""


def robot_description(embodiment: Embodiment, hardware_type: str, usb_port: str) -> str:
    """The URDF as text. Raises DescriptionError with xacro's own words."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    package = embodiment.description.package
    try:
        file = Path(get_package_share_directory(package)) / embodiment.description.xacro
    except PackageNotFoundError:
        raise DescriptionError(
            f"package {package}, which {embodiment.path} names, is not installed: build it"
        ) from None
    if not file.exists():
        raise DescriptionError(f"{embodiment.path}: description.xacro: no such file: {file}")
    arguments = {"hardware_type": hardware_type, "usb_port": usb_port, "embodiment": str(embodiment.path.resolve())}
    command = [
        sys.executable,
        "-c",
        "import xacro; xacro.main()",
        str(file),
        *(f"{name}:={value}" for name, value in arguments.items()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        first = (done.stderr.strip().splitlines() or ["no message"])[0]  # the lines below say where xacro was
        raise DescriptionError(f"xacro {file.name} failed: {first}")
    return done.stdout


def with_mesh_paths(urdf: str) -> str:
    """The URDF with its meshes named by paths instead of package://. Raises DescriptionError."""
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    def path(match: re.Match[str]) -> str:
        try:
            return f"{get_package_share_directory(match[1])}/"
        except PackageNotFoundError:
            raise DescriptionError(f"package {match[1]}, whose meshes the URDF names, is not installed") from None

    return re.sub(r"package://([^/\"]+)/", path, urdf)
