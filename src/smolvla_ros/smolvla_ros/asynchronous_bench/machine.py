"""How long a full-size SmolVLA takes for a chunk here, with the engine that "auto" takes. A process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

import numpy as np

from smolvla_ros.embodiment import load_embodiment

REPEAT = 5
INSTRUCTION = "put the red cube in the blue box"


def own_latency_s() -> float:
    """Raises RuntimeError with the last line of what it said where it cannot run, by lack of memory for one."""
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or "").strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise RuntimeError(f"the time of a full-size SmolVLA could not be measured: {said[-1]}")
    return float(done.stdout.split()[-1])


def measure_s(size: str = "full", repeat: int = REPEAT) -> float:
    """Median of `repeat` chunks after a first one, with random weights in the types of published checkpoints."""
    from smolvla_ros.model.checkpoint import save_checkpoint
    from smolvla_ros.model.comparison_cases import cast_as_published
    from smolvla_ros.model.random_checkpoint import random_checkpoint
    from smolvla_ros.policies.interface import Observation
    from smolvla_ros.policies.registry import make_policy

    embodiment = load_embodiment()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(embodiment, size)
        cast_as_published(checkpoint.model)
        save_checkpoint(checkpoint, folder)
        del checkpoint
        policy = make_policy(folder, embodiment)
    random, seconds = np.random.default_rng(0), []
    for k in range(repeat + 1):
        # other images each time: the policy encodes one that it has seen already only once
        images = {
            camera.name: random.integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)
            for camera in embodiment.cameras
        }
        observation = Observation(float(k), images, embodiment.home_rad, INSTRUCTION)
        started_s = time.perf_counter()
        policy.infer(observation)
        seconds.append(time.perf_counter() - started_s)
    return float(np.median(seconds[1:]))


if __name__ == "__main__":
    print(measure_s())
