"""`smolvla eval --task libero_spatial policy:=CHECKPOINT`: LIBERO's suites, as LeRobot evaluates them.

Episode k is the suite's task k % tasks from its initial state k // tasks; with as many episodes as tasks, each once.
Actions are executed as many as n_action_steps says between looks, in simulated time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from smolvla_ros.commands.run import say
from smolvla_ros.data.video_encoder import codec_named, encode_video
from smolvla_ros.model.checkpoint import load_checkpoint
from smolvla_ros.policies.libero import LiberoPolicy
from smolvla_ros.runtime.graph import ArgumentError
from smolvla_ros.simulation.libero import CAMERAS, CONTROL_HZ, SIDE_PX, STEPS, LiberoTask, libero, suite_of


def evaluate_libero(arguments: Mapping[str, str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row an episode, under the keys of eval_episodes.json. Raises LiberoError, EmbodimentMismatch, ArgumentError."""
    renames = dict(word.partition("=")[::2] for word in options.rename)
    for camera, name in renames.items():
        if camera not in CAMERAS.values() or not name:
            expected = f"CAMERA=NAME with a CAMERA of {', '.join(CAMERAS.values())}"
            raise ArgumentError(f"--rename: expected {expected}, found '{camera}={name}'")
    tasks = suite_of(libero(), options.task).get_num_tasks()
    limit = STEPS[options.task] if options.time_limit is None else round(options.time_limit * CONTROL_HZ)
    checkpoint = load_checkpoint(arguments["policy"], arguments["device"])
    policy = LiberoPolicy(checkpoint, renames, arguments["device"], arguments["engine"])
    rows: dict[int, dict[str, Any]] = {}
    for index in range(min(tasks, options.episodes)):  # a task's episodes in turn, as making its scene takes long
        task = LiberoTask(options.task, index)
        try:
            for episode in range(index, options.episodes, tasks):
                rows[episode] = _episode(task, policy, episode, episode // tasks, limit, options)
                done = sum(row["task_done"] for row in rows.values())
                word = "done" if rows[episode]["task_done"] else "NOT done"
                say(f"episode {episode}: {task.instruction}: {word}; {done}/{len(rows)}")
        finally:
            task.close()
    return [{"policy": arguments["policy"], **rows[episode]} for episode in sorted(rows)]


def _episode(
    task: LiberoTask, policy: LiberoPolicy, episode: int, state: int, limit: int, options: argparse.Namespace
) -> dict[str, Any]:
    seed = options.first_seed + episode
    policy.reset(seed)
    observation = task.reset(state, seed)
    pictures = [observation.images[CAMERAS["agentview_image"]]]
    steps, chunks, thinking_s, done = 0, 0, 0.0, False
    while steps < limit and not done:
        began = time.perf_counter()
        actions = policy.infer(observation, task.instruction)
        thinking_s += time.perf_counter() - began
        chunks += 1
        for action in actions[: limit - steps]:
            observation, done = task.step(action)
            steps += 1
            if episode < options.videos:
                pictures.append(observation.images[CAMERAS["agentview_image"]])
            if done:
                break
    if episode < options.videos:
        path = options.output / f"episode-{episode}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        encode_video(path, pictures, (SIDE_PX, SIDE_PX, 3), CONTROL_HZ, codec_named("h264"))
        say(f"video   {path}")
    return {
        "instruction": task.instruction,
        "seed": seed,
        "initial_state": state,
        "task_done": done,
        "duration_s": steps / CONTROL_HZ,
        "recorded_s": steps / CONTROL_HZ,
        "chunks": chunks,
        "inference_mean_s": round(thinking_s / chunks, 4),
        "starved_s": 0.0,
    }
