from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("run_in_processes.py")


def start(output: Path, index: int, count: int, port: int) -> subprocess.Popen[str]:
    """As a launcher does."""
    told = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    environment = {**os.environ, **{name: str(value) for name, value in told.items()}, "MASTER_ADDR": "127.0.0.1"}
    environment |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), str(output)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [start(tmp_path / "two", index, 2, port) for index in range(2)] + [start(tmp_path / "one", 0, 1, port)]
    for process in started:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    one, two = (
        load_file(tmp_path / run / "checkpoints" / "last" / "pretrained_model" / "model.safetensors")
        for run in ("one", "two")
    )
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=2e-6, msg=name)
    curves = [
        [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("one", "two")
    ]
    for name in ("loss", "held_out_loss"):
        found = [[point[name] for point in points if name in point] for points in curves]
        assert found[0] == pytest.approx(found[1], abs=1e-5)
