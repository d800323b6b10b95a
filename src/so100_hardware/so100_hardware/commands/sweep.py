"""The part of a calibration that the operator does: the middle pose, then each joint through its range."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from so100_hardware._bus import Bus, NoReplyError
from so100_hardware.calibration import LARGEST_OFFSET, fitted_offset
from so100_hardware.commands.console import Console
from so100_hardware.units import TICKS_PER_TURN
from so100_hardware.workshop.range_recorder import HALF_TURN, LAST_TICK, RangeRecorder, sweep_problem
from so100_hardware.workshop.servo_calibration import encoder_count

FULL_TURN_JOINT = "wrist_roll"  # turns without end: LeRobot takes the whole turn for its range
PERIOD_S = 0.02


def sweep(
    bus: Bus, servo_ids: Mapping[str, int], usual_sweeps: Mapping[str, int], console: Console
) -> dict[str, RangeRecorder]:
    """Guides through both poses until every range is sound. Torque must be off. Raises BusError."""
    while True:
        console.ask("move every joint to the middle of its range, then press Enter")
        recorders = _recorders(bus, servo_ids, console)
        moving = {name: recorder for name, recorder in recorders.items() if name != FULL_TURN_JOINT}
        if _sweep_ranges(bus, servo_ids, moving, usual_sweeps, console):
            break
    if FULL_TURN_JOINT in recorders:
        roll = recorders[FULL_TURN_JOINT]
        roll.lowest, roll.highest = 0, LAST_TICK
    return recorders


def _recorders(bus: Bus, servo_ids: Mapping[str, int], console: Console) -> dict[str, RangeRecorder]:
    recorders = {}
    for name, servo_id in servo_ids.items():
        middle = encoder_count(bus, servo_id)
        recorders[name] = RangeRecorder(middle)
        offset = middle - HALF_TURN
        if abs(offset) > LARGEST_OFFSET:
            console.say(
                f"  {name}: homing offset {offset} does not fit the register (-{LARGEST_OFFSET} to {LARGEST_OFFSET}); "
                f"{fitted_offset(offset)} is the same place in the turn"
            )
    return recorders


def _sweep_ranges(
    bus: Bus,
    servo_ids: Mapping[str, int],
    recorders: Mapping[str, RangeRecorder],
    usual_sweeps: Mapping[str, int],
    console: Console,
) -> bool:
    """Until all ranges are sound or accepted; False to choose the middle again."""
    console.say(f"move every joint but {FULL_TURN_JOINT} from one end of its range to the other, then press Enter")
    while True:
        _follow(bus, servo_ids, recorders, console)
        problems = {name: sweep_problem(recorder, usual_sweeps.get(name)) for name, recorder in recorders.items()}
        wrong = {name: problem for name, problem in problems.items() if problem}
        if not wrong:
            return True
        for name, problem in wrong.items():
            console.say(f"  {name} {problem}")
        wraps = any(recorders[name].wraps for name in wrong)
        choices = "Enter: go on moving, m: choose the middle again" + ("" if wraps else ", k: keep it so")
        answer = console.ask(f"{choices}:").lower()
        if answer == "m":
            return False
        if answer == "k" and not wraps:
            return True


def _follow(bus: Bus, servo_ids: Mapping[str, int], recorders: Mapping[str, RangeRecorder], console: Console) -> None:
    """Reads and shows positions until Enter. A reading that is lost is left out."""
    offsets = {name: bus.read(servo_ids[name], "homing_offset") for name in recorders}
    ids = [servo_ids[name] for name in recorders]
    while True:
        with contextlib.suppress(NoReplyError):
            positions = bus.sync_read(ids, "present_position")
            for name, recorder in recorders.items():
                recorder.update(positions[servo_ids[name]] + offsets[name])
        console.show_live(live_view(recorders))
        if console.enter_pressed():
            return
        console.sleep(PERIOD_S)


def live_view(recorders: Mapping[str, RangeRecorder]) -> list[str]:
    """A line a joint, with what it has swept so far."""
    lines = [f"  {'joint':<15}{'min':>7}{'now':>7}{'max':>7}{'swept':>8}"]
    for name, r in recorders.items():
        swept = f"{r.swept * 360 / TICKS_PER_TURN:.0f} deg"
        wraps = "  past the end of the count" if r.wraps else ""
        lines.append(f"  {name:<15}{r.lowest:>7}{r.position:>7}{r.highest:>7}{swept:>8}{wraps}")
    return lines
