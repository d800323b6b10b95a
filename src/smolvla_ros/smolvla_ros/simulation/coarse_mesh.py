"""A mesh with fewer faces, for cameras whose pixels are larger than its details.

Without a graphics processor an image's time goes by faces and by textured pixels. The published arm has 61,000 faces;
with cells of 2 mm 25,000 are left, which 640x480 pixels show nearly the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

STL_HEADER_BYTES = 84
STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def coarse_mesh(stl: Path, cell_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) in m and faces (m, 3) of a binary STL file, all vertices in a cell of this edge made one.

    Rossignac and Borrel's vertex clustering; the vertex is the cell's mean. Faces that shrink to a line go.
    """
    triangles = np.frombuffer(stl.read_bytes(), dtype=STL_TRIANGLE, offset=STL_HEADER_BYTES)
    corners = triangles["corners"].reshape(-1, 3).astype(float)
    vertex = _numbered(np.floor(corners / cell_m).astype(int))
    count = np.bincount(vertex)
    vertices = np.stack([np.bincount(vertex, corners[:, axis]) / count for axis in range(3)], axis=1)
    faces: np.ndarray = vertex.reshape(-1, 3)
    first = faces.argmin(axis=1)[:, None]
    faces = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1)  # the same face is written one way
    faces = faces[np.unique(_numbered(faces), return_index=True)[1]]
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
    faces = faces[distinct]
    used, faces = np.unique(faces, return_inverse=True)
    return vertices[used], faces.reshape(-1, 3)


def _numbered(rows: np.ndarray) -> np.ndarray:
    """(n, 3) whole numbers to (n,): equal rows get the same number, from 0 on without gaps."""
    low = rows.min(axis=0)
    size = rows.max(axis=0) - low + 1
    return np.unique(((rows - low) * [size[1] * size[2], size[2], 1]).sum(axis=1), return_inverse=True)[1]
