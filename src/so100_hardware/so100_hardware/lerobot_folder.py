"""Where LeRobot keeps calibration files, by its own environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# The newest first: LeRobot 0.6 has one class for both arms.
FOLLOWER_TYPES = ("so_follower", "so100_follower", "so101_follower")
LEADER_TYPES = ("so_leader", "so100_leader", "so101_leader")


def calibration_folder(environment: Mapping[str, str]) -> Path:
    """HF_LEROBOT_CALIBRATION, else calibration/ in HF_LEROBOT_HOME, else in lerobot/ of the Hugging Face cache."""
    if named := environment.get("HF_LEROBOT_CALIBRATION"):
        return Path(named).expanduser()
    if home := environment.get("HF_LEROBOT_HOME"):
        return Path(home).expanduser() / "calibration"
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(environment.get("HF_HOME") or f"{cache}/huggingface").expanduser() / "lerobot" / "calibration"


def calibration_file(arm_id: str, robot_type: str, environment: Mapping[str, str]) -> Path:
    """Where LeRobot looks for the file of an arm that it knows by this id."""
    kind = "teleoperators" if robot_type in LEADER_TYPES else "robots"
    return calibration_folder(environment) / kind / robot_type / f"{arm_id}.json"


def calibration_files(environment: Mapping[str, str]) -> list[Path]:
    """Those that are there, of followers and leaders."""
    folder = calibration_folder(environment)
    return sorted(path for kind in ("robots", "teleoperators") for path in folder.glob(f"{kind}/so*_*/*.json"))
