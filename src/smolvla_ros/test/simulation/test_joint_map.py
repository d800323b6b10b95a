from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.joint_map import JOINT_MAP
from smolvla_ros.simulation.world import World

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "official_urdf_fk.json").read_text())
FORWARD = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # the URDF's base to the scene: +90 degrees


@pytest.fixture(scope="module")
def world() -> World:
    return World(load_embodiment())


def test_joint_origins_and_axes_equal_the_official_urdfs_within_a_tenth_of_a_millimetre(world: World) -> None:
    names = world.embodiment.joint_names
    for pose in GOLDEN["poses"]:
        world.place(np.array(pose["joints_rad"]), {})
        for name in names:
            joint = world.model.joint(JOINT_MAP[name].mjcf_name).id
            np.testing.assert_allclose(world.data.xanchor[joint], FORWARD @ pose["origins_m"][name], atol=1e-4)
            np.testing.assert_allclose(world.data.xaxis[joint], FORWARD @ pose["axes"][name], atol=2e-4)


def test_positions_read_back_as_they_were_placed(world: World) -> None:
    for pose in GOLDEN["poses"][:5]:
        world.place(np.array(pose["joints_rad"]), {})
        np.testing.assert_allclose(world.positions, pose["joints_rad"], atol=1e-12)
