"""The simulated SO-100: scene, physics, cameras, tasks and their judge."""

import os

os.environ.setdefault("MUJOCO_GL", "egl")  # before mujoco is imported: a plain host has no display
