from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WITHOUT_RERUN = (
    "import sys; sys.modules['rerun'] = None; from smolvla_ros.cli import main; sys.exit(main(sys.argv[1:]))"
)


def test_without_rerun_the_command_says_what_to_install_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "run.rrd"
    command = [sys.executable, "-c", WITHOUT_RERUN, "view", "--save", str(file), "--duration", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install rerun-sdk==0.41.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not file.exists()
