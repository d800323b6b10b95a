"""Scripts that the python of another environment runs, one with LeRobot in it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

# Of the wheels' bootstrap and of this environment: another environment's python must not inherit them.
OWN_VARIABLES = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH", "PYTHONPATH")


class PeerError(RuntimeError):
    """LeRobot did not run. The message holds the end of what it said."""


def peer_environment() -> dict[str, str]:
    """The variables of this process, without those of its own environment."""
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}


def run_peer(peer: Path, port: str, script: Path, *arguments: str) -> dict[str, Any]:
    """What a script, run by the peer's python, found on the port. Raises PeerError."""
    try:
        done = subprocess.run(
            [str(peer), str(script), port, *arguments],
            env=peer_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{peer}: {error}") from None
    if done.returncode:
        raise PeerError(f"{peer} ended with code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
