"""A joint moved by hand through its range: where its ends are about the pose that was called its middle.

Pure. Positions are encoder counts, what a servo would show with no homing offset; they wrap at a turn of 4096.
"""

from __future__ import annotations

from so100_hardware.calibration import fitted_offset
from so100_hardware.units import TICKS_PER_TURN

HALF_TURN = 2047  # what LeRobot lets a servo show at the middle
LAST_TICK = TICKS_PER_TURN - 1
SMALL_SWEEP = 300  # ticks, 26 degrees: no joint of these arms turns less


class RangeRecorder:
    """State: where the joint is, counted on through the turns, and how far it has been."""

    def __init__(self, middle: int) -> None:
        """`middle` is the encoder's count at the middle pose; the homing offset follows from it."""
        self.homing_offset = fitted_offset(middle - HALF_TURN)
        self.position = (middle - self.homing_offset) % TICKS_PER_TURN
        self.lowest = self.highest = self.position

    def update(self, encoder: int) -> None:
        """Takes the next count. Between two the joint must have moved less than half a turn."""
        moved = (encoder - self.homing_offset - self.position) % TICKS_PER_TURN
        self.position += moved - TICKS_PER_TURN if moved > TICKS_PER_TURN // 2 else moved
        self.lowest, self.highest = min(self.lowest, self.position), max(self.highest, self.position)

    @property
    def swept(self) -> int:
        """Ticks from end to end."""
        return self.highest - self.lowest

    @property
    def wraps(self) -> bool:
        """Whether the joint passes the end of the servo's count, where positions would jump by a turn."""
        return self.lowest < 0 or self.highest > LAST_TICK


def sweep_problem(recorder: RangeRecorder, usual_sweep: int | None) -> str:
    """What is wrong with a finished sweep, '' for nothing. `usual_sweep` in ticks, None where it is not known."""
    if recorder.wraps:
        return (
            f"runs from {recorder.lowest} to {recorder.highest}, past the end of the servo's count (0 to {LAST_TICK}): "
            "the middle pose was not in the middle of its range"
        )
    least = max(SMALL_SWEEP, usual_sweep * 6 // 10 if usual_sweep else 0)
    if recorder.swept < least:
        swept, expected = (ticks * 360 / TICKS_PER_TURN for ticks in (recorder.swept, least))
        return f"was moved by {swept:.0f} degrees only, expected at least {expected:.0f}"
    return ""
