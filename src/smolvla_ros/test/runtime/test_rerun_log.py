"""Where the extra `rerun` is installed: what is logged can be read again from the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.runtime.rerun_log import RerunLog

rerun = pytest.importorskip("rerun", reason="rerun-sdk is an extra that nothing depends on")


def test_everything_that_is_logged_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "run.rrd"
    log = RerunLog(("pan", "gripper"), ("top",), file)
    rows, stamps_s = np.arange(6.0).reshape(3, 2), 1000.0 + np.arange(3) / 30
    log.image("top", 1000.0, np.zeros((4, 6, 3), dtype=np.uint8))
    log.joints(1000.0, np.array([0.1, 0.2]))
    log.chunk(stamps_s, rows, np.zeros((3, 3)))
    log.motion(stamps_s, rows, np.ones((3, 3)))
    log.state(1000.0, "fault", "rows refused", "go home", 7)
    log.close()
    content = file.read_bytes()
    for entity in (
        b"/cameras/top",
        b"/joints/pan/measured",
        b"/joints/gripper/chunk",
        b"/joints/pan/sent",
        b"/arm/chunk",
        b"/arm/motion",
        b"/executor/queue",
        b"/instruction",
    ):
        assert entity in content, entity
