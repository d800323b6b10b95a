"""`smolvla bench model`: seconds a chunk, loading, memory and exactness of each engine, beside LeRobot's own policy.

Each side runs in a process of its own on the same files, with two cameras, the same words and noise and two threads:
float32 weights against LeRobot's float32, weights in the types of published checkpoints against LeRobot in those types.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.engines.choice import BFLOAT16, ENGINES, FLOAT32, INT8, REFERENCE
from smolvla_ros.engines.packed_linear import PackedLinear
from smolvla_ros.engines.quantised_linear import QuantisedLinear
from smolvla_ros.engines.rows import EngineLinear, Rows
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.model.comparison_cases import cast_as_published
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.model.lerobot_peer import peak_rss_bytes
from smolvla_ros.model.peer_run import Sample, batch_of, random_sample, run_peer
from smolvla_ros.model.random_checkpoint import random_checkpoint

THREADS = 2
RATE_SHAPE = (2048, 768, 3072)
"""Rows, inputs and outputs of the linear layer whose speed stands for the processor's matrix rate."""
BANDWIDTH_BYTES = 1 << 28


@dataclass(frozen=True)
class Layout:
    """A checkpoint's size and types, the engines to measure on it, how often, and how often the peer."""

    size: str
    published: bool
    engines: tuple[str, ...]
    repeat: int
    peer_repeat: int

    @property
    def types(self) -> str:
        return "published" if self.published else "float32"


LAYOUTS = (
    Layout("tiny", False, (FLOAT32.name,), 30, 30),
    Layout("small", False, (FLOAT32.name,), 20, 10),
    Layout("full", False, (FLOAT32.name,), 7, 5),
    Layout("full", True, (BFLOAT16.name, INT8.name), 9, 5),
)


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """One row an engine and layout; the peer's columns are None where there is none. Raises PeerError."""
    return [row for layout in LAYOUTS for row in _rows(layout, peer)]


def _rows(layout: Layout, peer: Path | None) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as work:
        folder, source = Path(work, "checkpoint"), Path(work, "input.npz")
        checkpoint = random_checkpoint(load_embodiment(), layout.size)
        if layout.published:
            cast_as_published(checkpoint.model)
        save_checkpoint(checkpoint, folder)
        sample = random_sample(checkpoint, seed=0)
        sample.save(source)
        del checkpoint
        exact = _in_own_process(folder, source, REFERENCE.name, 1)
        theirs = (
            run_peer(peer, folder, sample, THREADS, layout.peer_repeat, file_types=layout.published) if peer else None
        )
        return [
            _row(layout, name, _in_own_process(folder, source, name, layout.repeat), exact, theirs, len(sample.images))
            for name in layout.engines
        ]


def _row(
    layout: Layout,
    engine: str,
    ours: dict[str, np.ndarray],
    exact: dict[str, np.ndarray],
    theirs: dict[str, np.ndarray] | None,
    cameras: int,
) -> dict[str, Any]:
    seconds = ours["seconds"].sum(axis=1)
    stages = np.median(ours["seconds"], axis=0)
    rates = ours["rates"]  # operations a second of perception's and of the expert's products, bytes a second
    row: dict[str, Any] = {
        "engine": engine,
        "size": layout.size,
        "weights": layout.types,
        "cameras": cameras,
        "median_s": float(np.median(seconds)),
        "min_s": float(seconds.min()),
        "floor_s": float((exact["operations"] / rates[:2]).sum()),
        "weight_bytes_floor_s": float(ours["bytes_read"] / rates[2]),
        "vision_s": float(stages[0]),
        "language_s": float(stages[1]),
        "denoise_s": float(stages[2]),
        "mean_rel_error": float(np.abs(ours["chunk"] - exact["chunk"]).mean() / exact["chunk"].std()),
        "load_s": float(ours["load_s"]),
        "peak_rss_bytes": int(ours["peak_rss_bytes"]),
        "peer_median_s": None,
        "peer_min_s": None,
        "ratio": None,
        "max_abs_diff": None,
        "peer_mean_rel_error": None,
        "peer_load_s": None,
        "load_ratio": None,
        "peer_peak_rss_bytes": None,
    }
    if theirs is not None:
        peer_median = float(np.median(theirs["seconds"]))
        row |= {
            "peer_median_s": peer_median,
            "peer_min_s": float(theirs["seconds"].min()),
            "ratio": peer_median / row["median_s"],
            "max_abs_diff": float(np.abs(theirs["chunk"] - ours["chunk"]).max()),
            "peer_mean_rel_error": float(np.abs(theirs["chunk"] - exact["chunk"]).mean() / exact["chunk"].std()),
            "peer_load_s": float(theirs["load_s"]),
            "load_ratio": float(theirs["load_s"]) / row["load_s"],
            "peer_peak_rss_bytes": int(theirs["peak_rss_bytes"]),
        }
    return row


def _in_own_process(folder: Path, source: Path, engine: str, repeat: int) -> dict[str, np.ndarray]:
    target = source.with_name("output.npz")
    command = [sys.executable, "-m", __spec__.name if __spec__ else __name__]
    subprocess.run([*command, str(folder), str(source), str(target), engine, str(repeat)], check=True)
    return dict(np.load(target, allow_pickle=False))


def measure(folder: Path, sample: Sample, engine: str, repeat: int) -> dict[str, Any]:
    """Seconds (repeat, 3) of vision, language model and denoising; loading, peak memory; rates of this processor.

    The reference engine computes in float32 whatever the file's types, and counts the operations of both halves.
    """
    reference = engine == REFERENCE.name
    started = time.perf_counter()
    checkpoint = load_checkpoint(folder, dtype="float32" if reference else None)
    ENGINES[engine].prepare(checkpoint.model)
    load_s = time.perf_counter() - started
    batch, noise = batch_of(checkpoint, sample), torch.from_numpy(sample.noise)
    chunk, _ = _timed(checkpoint.model, batch, noise)  # the first is slower and not counted
    seconds = [_timed(checkpoint.model, batch, noise)[1] for _ in range(repeat)]
    peak = peak_rss_bytes()
    made = {
        "chunk": chunk.numpy(),
        "seconds": np.array(seconds),
        "load_s": load_s,
        "peak_rss_bytes": peak,
        "rates": np.array(_rates(engine)),
        "bytes_read": _bytes_read(folder, engine, checkpoint.config.num_steps),
    }
    if reference:
        with torch.inference_mode(), FlopCounterMode(display=False) as perception:
            memory = checkpoint.model.model.remember(model_inputs(batch, checkpoint.config))
        with torch.inference_mode(), FlopCounterMode(display=False) as action:
            checkpoint.model.model.sample(memory, noise, checkpoint.config.num_steps)
        made["operations"] = np.array([perception.get_total_flops(), action.get_total_flops()])
    return made


@torch.inference_mode()
def _timed(model: Any, batch: dict[str, Tensor], noise: Tensor) -> tuple[Tensor, tuple[float, float, float]]:
    flow, config = model.model, model.config
    began = time.perf_counter()
    inputs = model_inputs(batch, config)
    tokens = flow.embed_cameras(inputs)
    seen = time.perf_counter()
    memory = flow.remember(inputs, tokens)
    read = time.perf_counter()
    actions = flow.sample(memory, noise, config.num_steps)[..., : config.action_dim]
    return actions.float(), (seen - began, read - seen, time.perf_counter() - read)


def _rates(engine: str) -> tuple[float, float, float]:
    """Operations a second of the engine's linear layers in perception and in the expert; bytes a second from memory."""
    float32 = partial(PackedLinear, dtype=torch.float32)
    bfloat16 = partial(PackedLinear, dtype=torch.bfloat16)
    makers: dict[str, tuple[Callable[..., EngineLinear], Callable[..., EngineLinear]]] = {
        BFLOAT16.name: (bfloat16, bfloat16),
        INT8.name: (QuantisedLinear, bfloat16),
    }
    count, width_in, width_out = RATE_SHAPE
    rates, linear = [], torch.nn.Linear(width_in, width_out, bias=False).requires_grad_(False)
    for maker in makers.get(engine, (float32, float32)):
        layer = maker([linear], count)
        x = torch.randn(count, width_in)
        if isinstance(layer, QuantisedLinear):  # the product alone, which is the processor's own rate
            product = partial(torch._int_mm, torch.ones(count, width_in, dtype=torch.int8), layer.weight)
        else:
            product = partial(layer, Rows(x.to(layer.takes)))
        rates.append(2 * count * width_in * width_out / _fastest_s(product))
    block = torch.ones(BANDWIDTH_BYTES // 4)
    return rates[0], rates[1], BANDWIDTH_BYTES / _fastest_s(block.sum)


def _bytes_read(folder: Path, engine: str, num_steps: int) -> int:
    """Weights that pass through the processor for one chunk: those of perception once, the expert's in every step."""
    from smolvla_ros.model.checkpoint_files import find_files

    files = find_files(folder)
    stored = files.weights(files.config()).tensors
    used = {name: place.size for name, place in stored.items() if "lm_head" not in name and "embed_tokens" not in name}
    expert = sum(size for name, size in used.items() if "lm_expert" in name)
    perception = sum(used.values()) - expert
    width = {BFLOAT16.name: (2, 2), INT8.name: (3, 2)}.get(engine, (4, 4))  # int8 reads 16 bits too, for the mean
    return perception * width[0] + expert * width[1] * num_steps


@torch.inference_mode()
def _fastest_s(run: Callable[[], object], repeat: int = 10) -> float:
    best = float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description="one measurement, in a process of its own")
    parser.add_argument("folder", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("repeat", type=int)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    sample = Sample.load(options.input)
    np.savez(options.output, **measure(options.folder, sample, options.engine, options.repeat))


if __name__ == "__main__":
    main()
