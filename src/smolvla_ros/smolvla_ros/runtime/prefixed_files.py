"""Copies of the robot's files for an arm whose joints and frames have a prefix, one of two on a host."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from smolvla_ros.embodiment import load_embodiment


def with_prefix(embodiment: str, prefix: str, folder: Path) -> str:
    """The embodiment file to use: the one given, or where a prefix is asked for its copy with that in `folder`.

    Every node reads it, and the recorder keeps it, so that a bag tells its joints' names. Raises EmbodimentError.
    """
    if not prefix:
        return embodiment
    source = load_embodiment(embodiment).path
    text = re.sub(r"^prefix:.*\n", "", source.read_text(), flags=re.MULTILINE)
    copy = folder / f"{prefix}{source.name}"
    copy.write_text(f"{text.rstrip()}\nprefix: {prefix}\n")
    load_embodiment(copy)
    return str(copy)


def controllers_for(file: Path, prefix: str, folder: Path) -> Path:
    """The controllers' parameters with the prefix before the joints' names."""
    if not prefix:
        return file
    parameters = yaml.safe_load(file.read_text())
    for node in parameters.values():
        settings = node["ros__parameters"]
        if "joint" in settings:
            settings["joint"] = prefix + settings["joint"]
        if "joints" in settings:
            settings["joints"] = [prefix + name for name in settings["joints"]]
    copy = folder / f"{prefix}{file.name}"
    copy.write_text(yaml.safe_dump(parameters))
    return copy
