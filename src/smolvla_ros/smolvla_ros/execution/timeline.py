"""The timeline: rows of joint positions, each for a time, kept in order whatever order chunks arrive in.

Row k of a chunk is for its observation's stamp + k * step. Rows whose time is past are late and dropped; where the
rows of two chunks are for the same time, an overlap rule says what becomes of them. The newest chunk is the whole
future from its first row on: what an older one said beyond its end is dropped, so that the timeline never has a hole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolvla_ros.execution.overlap import Overlap
from smolvla_ros.execution.spline import spline_through

# a part of a row: stamps are rounded
WHOLE_ROW = 1e-3


class ChunkRejected(ValueError):
    """A chunk that cannot be executed. The message: what is wrong, a colon, what was expected and what was found."""

    @property
    def kind(self) -> str:
        """What is wrong, without figures: for counting."""
        return str(self).partition(":")[0]


@dataclass(frozen=True)
class Landing:
    """What became of a chunk's rows."""

    late: int
    added: int


class Timeline:
    """State: the rows still to come and the one before them, how many chunks each row is made of, and the stamp of the
    newest observation that made one of them.
    """

    def __init__(self, joints: int, overlap: Overlap | None = None) -> None:
        """Without an overlap rule the newest chunk wins."""
        self._joints = joints
        self._overlap = overlap or Overlap(("latest",) * joints)
        self._times: np.ndarray
        self._positions: np.ndarray
        self._past_times: np.ndarray
        self._past_positions: np.ndarray
        self._chunks: np.ndarray
        self.flush()

    def flush(self) -> None:
        """Forgets all rows, and which observation was the newest."""
        self._times = np.empty(0)
        self._positions = np.empty((0, self._joints))
        self._chunks = np.empty(0, dtype=int)
        self._past_times, self._past_positions = self._times, self._positions
        self._newest_observation_s = -np.inf

    def land(
        self, observation_s: float, step_s: float, positions: np.ndarray, now_s: float, start_s: float | None = None
    ) -> Landing:
        """Puts a chunk's rows (rows, joints) on the timeline, row k for start_s + k * step_s; start_s is the
        observation's stamp unless something else is said. Raises ChunkRejected, leaving the timeline as it was.
        """
        if observation_s <= self._newest_observation_s:
            behind = self._newest_observation_s - observation_s
            raise ChunkRejected(
                f"observation: expected one newer than the last chunk's, found one {behind:.3f} s older"
                if behind > 0
                else "observation: the same as the last chunk's"
            )
        times = (observation_s if start_s is None else start_s) + step_s * np.arange(len(positions))
        late = int(np.searchsorted(times, now_s, side="right"))
        if late == len(positions):
            raise ChunkRejected(f"late: all {late} rows are past, the last was for {now_s - times[-1]:.3f} s ago")
        # half a step before the first new row, so that no two rows demand a move in next to no time
        kept = self._times < times[late] - 0.5 * step_s
        rows, chunks = self._combined(times[late:], positions[late:], max(now_s, times[late] - step_s))
        self._times = np.concatenate([self._times[kept], times[late:]])
        self._positions = np.concatenate([self._positions[kept], rows])
        self._chunks = np.concatenate([self._chunks[kept], chunks])
        self._newest_observation_s = observation_s
        return Landing(late, len(positions) - late)

    def advance(self, now_s: float) -> int:
        """Takes off the rows whose time has come; returns how many."""
        executed = int(np.searchsorted(self._times, now_s, side="right"))
        if executed:
            past = slice(executed - 1, executed)
            self._past_times, self._past_positions = self._times[past], self._positions[past]
            self._times, self._positions = self._times[executed:], self._positions[executed:]
            self._chunks = self._chunks[executed:]
        return executed

    def cut(self, rows: int) -> int:
        """Keeps the next `rows` rows to come; returns how many behind them were dropped."""
        dropped = len(self) - rows
        self._times, self._positions, self._chunks = self._times[:rows], self._positions[:rows], self._chunks[:rows]
        return dropped

    def stretch(self, now_s: float, by: float) -> None:
        """What is to come takes `by` times as long from now on."""
        self._times = now_s + by * (self._times - now_s)

    def replace(self, positions: np.ndarray) -> None:
        """The rows to come are these instead (same shape): what the safety filter let through."""
        if positions.shape != self._positions.shape:
            raise ValueError(f"expected positions of shape {self._positions.shape}, found {positions.shape}")
        self._positions = positions.copy()

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Times (rows,) and positions (rows, joints) still to come."""
        return self._times.copy(), self._positions.copy()

    def rows_every(self, step_s: float) -> np.ndarray:
        """The rows (rows, joints) to come, at the first one's time + j * step: chunks may be out of step."""
        if not len(self):
            return self._positions
        count = int((self.end_s - self._times[0]) / step_s + WHOLE_ROW) + 1
        return spline_through(self._times, self._positions, self._times[0] + step_s * np.arange(count))

    def use(self, overlap: Overlap) -> None:
        """From the next chunk on."""
        self._overlap = overlap

    def __len__(self) -> int:
        return len(self._times)

    @property
    def start_s(self) -> float:
        """Time of the next row; inf where there is none."""
        return float(self._times[0]) if len(self._times) else np.inf

    @property
    def end_s(self) -> float:
        """Time of the last row; -inf where there is none."""
        return float(self._times[-1]) if len(self._times) else -np.inf

    def _combined(self, times: np.ndarray, rows: np.ndarray, start_s: float) -> tuple[np.ndarray, np.ndarray]:
        """New rows, which count from start_s on, together with those there are for their times, and of how many chunks
        each is made.
        """
        chunks = np.ones(len(times), dtype=int)
        shared = times <= self.end_s
        if not shared.any() or self._overlap.newest_only:
            return rows, chunks
        old_times = np.concatenate([self._past_times, self._times])
        at = np.maximum(times[shared], old_times[0])
        old = spline_through(old_times, np.concatenate([self._past_positions, self._positions]), at)
        old_chunks = self._chunks[np.searchsorted(self._times, at, side="left")]
        share = self._overlap.new_shares(old_chunks, times[shared] - start_s, self.end_s - start_s)
        rows = rows.copy()
        rows[shared] = old + share * (rows[shared] - old)
        chunks[shared] += old_chunks
        return rows, chunks
