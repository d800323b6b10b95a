"""The rows that are queued, as the model's own numbers: what a new chunk goes on from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.model.real_time_chunking import Guidance
from smolvla_ros.policies.interface import Observation, PolicyRefusal
from smolvla_ros.units import LeRobotUnits

SAME_MOMENT_ROWS = 1e-3
"""Stamps are float64 seconds since 1970, a fraction of a microsecond apart at best."""


def guidance_of(
    observation: Observation,
    step_s: float,
    units: LeRobotUnits,
    encode: Callable[[Tensor], Tensor],
    chunk: int,
    width: int,
    soft_rows: int = 10,
    schedule: str = "linear",
    max_weight: float = 10.0,
    jacobian: str = "identity",
) -> Guidance | None:
    """What the new chunk (rows `chunk`, columns `width`: the config's max_action_dim) is held to; None: nothing.

    encode: rows (rows, joints) in LeRobot's units to the model's numbers.
    Its row k is for the observation's stamp + k * step_s, between committed rows where the clocks are out of step:
    committed rows before the stamp fall away; where the first is after the stamp, the rows until then, which the arm
    has done already, are held at it. Nothing is made up after the last: there is no row beyond it. It agrees with the
    rows that will be executed meanwhile, and less and less with the soft_rows behind them.
    Raises PolicyRefusal where the committed rows are not finite angles of this robot's joints.
    """
    observation = observation.at_step(step_s)
    committed = observation.committed
    if committed is None or not len(committed):
        return None
    joints = len(observation.positions)
    if committed.ndim != 2 or committed.shape[1] != joints or not np.isfinite(committed).all():
        raise PolicyRefusal(f"committed: expected rows of {joints} finite angles, found {committed.tolist()}")
    ahead = _whole_if_near((observation.stamp_s - observation.committed_start_s) / step_s)
    rows = min(chunk, _rows_until(len(committed) - 1 - ahead))
    if rows < 1 or -ahead >= chunk:
        return None
    delay = min(rows, _rows_until(observation.delay_rows - 1 - ahead))
    at = np.arange(rows) + ahead
    radians = np.stack([np.interp(at, np.arange(len(committed)), joint) for joint in committed.T], axis=1)
    values = torch.from_numpy(units.from_radians(radians)).float()
    return Guidance(_padded(encode(values), width)[None], delay, delay + soft_rows, schedule, max_weight, jacobian)


def _whole_if_near(rows: float) -> float:
    whole = round(rows)
    return float(whole) if abs(rows - whole) < SAME_MOMENT_ROWS else rows


def _rows_until(last: float) -> int:
    """How many of the rows 0, 1, ... are not after `last`."""
    return max(0, int(np.floor(last)) + 1)


def _padded(rows: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, width - rows.shape[1]))
