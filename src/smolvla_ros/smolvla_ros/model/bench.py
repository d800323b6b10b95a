"""`smolvla bench model`: seconds a chunk, loading, memory, and the difference from LeRobot with the same weights.

Each side runs in a process of its own on the same files; both take two cameras and the same words and noise.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.compare_with_lerobot import Sample, batch_of, random_sample, run_peer
from smolvla_ros.model.random_checkpoint import random_checkpoint

THREADS = 2
REPEATS = {"tiny": 30, "small": 10, "full": 3}
ENGINE = "torch fp32"
RATE_SHAPE = (2048, 768, 3072)
"""Rows, inputs and outputs of the linear layer whose speed stands for the processor's matrix rate."""


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """One row a size; the peer's columns are None where there is none. Raises PeerError."""
    return [_row(size, repeat, peer) for size, repeat in REPEATS.items()]


def _row(size: str, repeat: int, peer: Path | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as work:
        folder, source, target = Path(work, "checkpoint"), Path(work, "input.npz"), Path(work, "output.npz")
        save_checkpoint(random_checkpoint(load_embodiment(), size), folder)
        sample = random_sample(load_checkpoint(folder), seed=0)
        sample.save(source)
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__]
        subprocess.run([*command, str(folder), str(source), str(target), str(repeat)], check=True)
        ours = dict(np.load(target, allow_pickle=False))
        theirs = run_peer(peer, folder, sample, THREADS, repeat) if peer else None
    median = float(np.median(ours["seconds"]))
    row: dict[str, Any] = {
        "engine": ENGINE,
        "size": size,
        "cameras": len(sample.images),
        "median_s": median,
        "min_s": float(ours["seconds"].min()),
        "floor_s": float(ours["floor_s"]),
        "load_s": float(ours["load_s"]),
        "peak_rss_bytes": int(ours["peak_rss_bytes"]),
        "peer_median_s": None,
        "ratio": None,
        "max_abs_diff": None,
        "mean_rel_error": None,
        "peer_load_s": None,
        "peer_peak_rss_bytes": None,
    }
    if theirs is not None:
        peer_median = float(np.median(theirs["seconds"]))
        difference = np.abs(theirs["chunk"] - ours["chunk"])
        row |= {
            "peer_median_s": peer_median,
            "ratio": peer_median / median,
            "max_abs_diff": float(difference.max()),
            "mean_rel_error": float(difference.mean() / np.abs(theirs["chunk"]).mean()),
            "peer_load_s": float(theirs["load_s"]),
            "peer_peak_rss_bytes": int(theirs["peak_rss_bytes"]),
        }
    return row


def measure(folder: Path, sample: Sample, repeat: int) -> dict[str, Any]:
    """Seconds of `repeat` chunks, of loading, peak memory; the floor, operations over the matrix rate."""
    started = time.perf_counter()
    checkpoint = load_checkpoint(folder)
    load_s = time.perf_counter() - started
    batch, noise = batch_of(checkpoint, sample), torch.from_numpy(sample.noise)
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        chunk = checkpoint.model.predict_action_chunk(batch, noise)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with FlopCounterMode(display=False) as counter:
        checkpoint.model.predict_action_chunk(batch, noise)
    floor_s = counter.get_total_flops() / matrix_rate()
    return {
        "chunk": chunk.numpy(),
        "seconds": np.array(seconds),
        "load_s": load_s,
        "peak_rss_bytes": peak,
        "floor_s": floor_s,
    }


def matrix_rate() -> float:
    """Float32 operations a second of a large linear layer, the best of several."""
    rows, width_in, width_out = RATE_SHAPE
    x, layer = torch.randn(rows, width_in), torch.nn.Linear(width_in, width_out, bias=False)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(10):
            started = time.perf_counter()
            layer(x)
            best = min(best, time.perf_counter() - started)
    return 2 * rows * width_in * width_out / best


def main() -> None:
    parser = argparse.ArgumentParser(description="one measurement, in a process of its own")
    parser.add_argument("folder", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("repeat", type=int)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    np.savez(options.output, **measure(options.folder, Sample.load(options.input), options.repeat))


if __name__ == "__main__":
    main()
