from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation import arm_model
from smolvla_ros.simulation.coarse_mesh import STL_HEADER_BYTES, STL_TRIANGLE, coarse_mesh
from smolvla_ros.simulation.rendering import Renderer
from smolvla_ros.simulation.world import World

EDGE_M, CELLS = 0.040, 40


@pytest.fixture
def fine_plate(tmp_path: Path) -> Path:
    """A square of 40 mm in millimetre squares, two triangles each, with an equal copy of every triangle."""
    corner = np.arange(CELLS) * EDGE_M / CELLS + 1e-4
    x, y = (grid.ravel() for grid in np.meshgrid(corner, corner))
    step = EDGE_M / CELLS
    squares = np.stack(
        [np.stack([x + dx * step, y + dy * step, 0 * x], axis=1) for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1))], axis=1
    )
    triangles = np.zeros(4 * len(squares), dtype=STL_TRIANGLE)
    triangles["corners"] = np.concatenate([squares[:, [0, 1, 2]], squares[:, [0, 2, 3]]] * 2)
    path = tmp_path / "plate.stl"
    path.write_bytes(bytes(STL_HEADER_BYTES) + triangles.tobytes())
    return path


def area_m2(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    one, two, three = (vertices[faces[:, k]] for k in range(3))
    return 0.5 * np.cross(two - one, three - one)


def test_a_coarse_plate_is_the_same_plate_with_fewer_faces(fine_plate: Path) -> None:
    vertices, faces = coarse_mesh(fine_plate, 0.004)
    assert len(faces) < 0.1 * 4 * CELLS**2
    assert faces.max() == len(vertices) - 1
    area = area_m2(vertices, faces)
    assert np.all(area[:, 2] > 0)  # still facing up
    assert area[:, 2].sum() == pytest.approx(EDGE_M**2, rel=0.12)  # the rim moves in by up to half a cell
    assert np.ptp(vertices[:, 0]) == pytest.approx(EDGE_M, abs=0.004)


def test_with_cells_smaller_than_its_details_nothing_but_copies_go(fine_plate: Path) -> None:
    vertices, faces = coarse_mesh(fine_plate, 1e-6)
    assert len(faces) == 2 * CELLS**2
    assert len(vertices) == (CELLS + 1) ** 2
    assert area_m2(vertices, faces)[:, 2].sum() == pytest.approx(EDGE_M**2, rel=1e-3)


def test_sensor_cameras_see_nearly_the_same_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = load_embodiment()
    images, faces = [], []
    for cell_m in (1e-5, arm_model.COARSE_CELL_M):
        monkeypatch.setattr(arm_model, "COARSE_CELL_M", cell_m)
        world = World(robot)
        seen = np.unique(world.model.geom_dataid[world.model.geom_group == arm_model.COARSE_GROUP])
        faces.append(world.model.mesh_facenum[seen[seen >= 0]].sum())
        renderer = Renderer(world, 320, 240)
        renderer.take_state(world.data.qpos)
        images.append(np.stack([renderer.draw(camera) for camera in ("top", "wrist")]).astype(int))
        renderer.close()
    assert faces[1] < 0.5 * faces[0]
    other = np.abs(images[0] - images[1]).max(axis=-1) > 40
    assert 0 < other.mean() < 0.03
