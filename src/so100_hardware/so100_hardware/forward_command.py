"""forward_position_controller's rules (ROS 2 Jazzy) for what its topic takes: a position of every joint, for now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class PositionsRejectedError(ValueError):
    """Positions that the controller does not take; the arm goes on with what it was told before."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"positions rejected: expected {expected}, found {found}")


def checked_positions(data: Sequence[float], joint_names: Sequence[str]) -> NDArray[np.float64]:
    """(joints,) rad in the order of the names. Raises PositionsRejectedError."""
    if len(data) != len(joint_names):
        raise PositionsRejectedError(f"{len(joint_names)} values ({', '.join(joint_names)})", str(len(data)))
    positions = np.asarray(data, dtype=np.float64)
    if not np.isfinite(positions).all():
        raise PositionsRejectedError("finite numbers", str(positions.tolist()))
    return positions
