"""What is wrong with servos, by what their registers hold. Pure: readings in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from so100_hardware.calibration import Calibration, differences
from so100_hardware.units import TICKS_PER_TURN
from so100_hardware.workshop.finding import Finding, Fix, Severity
from so100_hardware.workshop.servo_readings import Readings, in_unit

MODEL_STS3215 = 777
MULTI_TURN_BIT = 0x10
HOT_C = 60
# bit -> (what it says, what to do)
ERROR_BITS = {
    1: ("voltage", "measure the power supply: the arm's own (5 V or 12 V, 4 A or more) must feed the board, not USB"),
    2: ("angle sensor", "turn power off and on; if it comes back, the servo's encoder is broken"),
    4: ("overheating", "turn torque off and let it cool; look for a joint that pushes against something"),
    8: ("over-current", "look for a jammed joint or a damaged cable, then turn power off and on"),
    32: ("overload", "free the joint, then turn torque off and on"),
}
WHOLE_TURN = (0, TICKS_PER_TURN - 1)


def servo_name(servo_id: int, names: Mapping[int, str]) -> str:
    """As the operator knows it: servo 3 (elbow_flex)."""
    return f"servo {servo_id} ({names[servo_id]})" if servo_id in names else f"servo {servo_id}"


def diagnose(servos: Mapping[int, Readings], names: Mapping[int, str]) -> list[Finding]:
    """Findings on each servo in turn, then on all of them together. `servos` and `names` are by servo id."""
    found = [finding for servo_id, r in servos.items() for finding in _of_one(servo_id, r, servo_name(servo_id, names))]
    return found + _of_all(servos, names)


def diagnose_calibration(
    servos: Mapping[int, Readings], names: Mapping[int, str], calibration: Calibration, file: Path
) -> list[Finding]:
    """Whether a calibration file is this arm's."""
    tell = _Findings(str(file))
    joints = {joint.servo_id: name for name, joint in calibration.joints.items()}
    if any(joints[i] != names[i] for i in joints if i in names) or not set(joints) & set(servos):
        expected, told = (", ".join(f"{i} {of[i]}" for i in sorted(of)) for of in (names, joints))
        tell.problem("calibration_joints", f"expected joints {expected}; found {told}", "name this arm's file")
        return tell
    wrong = differences(calibration, servos)
    if not wrong:
        tell.note("calibration_fits", "is the calibration that the servos hold")
        return tell
    listed = "; ".join(
        f"{servo_name(d.servo_id, names)} {d.register}: file {d.in_file}, servo {d.in_servo}" for d in wrong
    )
    remedy = (
        "if it is another arm's file, name this arm's; if these servos are new or were reset, "
        f"`so100 calibrate --apply {file}` writes it to them; else `so100 calibrate` makes a new one"
    )
    tell.problem("calibration_differs", f"is not what the servos hold: {listed}", remedy)
    return tell


class _Findings(list[Finding]):
    """Those of one subject."""

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.subject = subject

    def problem(self, kind: str, found: str, remedy: str, fix: Fix | None = None) -> None:
        self.append(Finding(Severity.PROBLEM, kind, self.subject, found, remedy, fix))

    def note(self, kind: str, found: str, remedy: str = "") -> None:
        self.append(Finding(Severity.NOTE, kind, self.subject, found, remedy))


def _of_one(servo_id: int, r: Readings, name: str) -> list[Finding]:
    tell = _Findings(name)
    if r["model_number"] != MODEL_STS3215:
        found = f"expected model {MODEL_STS3215} (STS3215), found {r['model_number']}"
        tell.problem("model", found, "is this another arm's port? Else put an STS3215 in its place")
        return tell
    _of_state(r, tell)
    _of_settings(servo_id, r, tell)
    _of_range(r, tell)
    if r["torque_enable"]:
        tell.note("torque_on", "holds its place: torque is on", "a program left it on, or still drives the arm")
    elif r["lock"] == 0:
        tell.note("unlocked", "has its EEPROM unlocked (lock 0)", "LeRobot leaves it so; it does no harm")
    return tell


def _of_state(r: Readings, tell: _Findings) -> None:
    for bit in (1 << k for k in range(8)):
        if (r["error_bits"] | r["status"]) & bit:
            text, remedy = ERROR_BITS.get(bit, (f"bit {bit}", "see the servo's manual"))
            tell.problem("error_bits", f"reports an error: {text}", remedy)
    low_v, high_v = in_unit(r, "min_voltage_limit"), in_unit(r, "max_voltage_limit")
    volts = in_unit(r, "present_voltage")
    if not low_v <= volts <= high_v:
        tell.problem("voltage", f"expected {low_v:.1f} to {high_v:.1f} V, found {volts:.1f} V", ERROR_BITS[1][1])
    if r["present_temperature"] >= HOT_C:
        found = f"is at {r['present_temperature']} degC, turns itself off at {r['max_temperature_limit']}"
        tell.problem("temperature", found, "let it cool with torque off; look for a joint that always holds a load")


def _of_settings(servo_id: int, r: Readings, tell: _Findings) -> None:
    if mode := r["operating_mode"]:
        found = f"expected operating_mode 0 (position), found {mode}"
        tell.problem("operating_mode", found, "`so100 calibrate` sets it when it writes the calibration")
    if r["response_status_level"] == 0:
        found = "does not acknowledge writes (response_status_level 0)"
        tell.problem("response_status_level", found, "set it to 1 with Feetech's software")
    if (resolution := r["angular_resolution"]) != 1:
        found = f"expected angular_resolution 1, found {resolution}: all angles are scaled by it"
        tell.problem("angular_resolution", found, "set it to 1 with Feetech's software")
    if delay := r["return_delay_time"]:
        found = f"waits {1e6 * in_unit(r, 'return_delay_time'):.0f} us before it answers (return_delay_time {delay})"
        fix = Fix(servo_id, "return_delay_time", delay, 0)
        tell.problem("return_delay_time", found, "`so100 doctor --fix` sets it to 0, as LeRobot does", fix)
    if (phase := r["phase"]) & MULTI_TURN_BIT:
        found = f"counts turns (bit 4 of phase {phase}): positions leave 0 to 4095"
        fix = Fix(servo_id, "phase", phase, phase & ~MULTI_TURN_BIT)
        tell.problem("phase", found, "`so100 doctor --fix` clears the bit, as LeRobot does", fix)


def _of_range(r: Readings, tell: _Findings) -> None:
    (low, high), position = _limits(r), r["present_position"]
    if (low, high) == (0, 0):  # no limits
        return
    if low >= high:
        found = f"expected min_position_limit below max_position_limit, found {low} and {high}"
        tell.problem("limits", found, "calibrate anew: `so100 calibrate`")
    elif not low <= position <= high:
        found = f"stands at {position}, outside of its limits {low} to {high}"
        remedy = "move it inwards by hand; if it cannot be there, the calibration is not this arm's: `so100 calibrate`"
        tell.problem("outside_limits", found, remedy)


def _of_all(servos: Mapping[int, Readings], names: Mapping[int, str]) -> list[Finding]:
    tell = _Findings("all servos")
    versions = {i: f"{r['firmware_major_version']}.{r['firmware_minor_version']}" for i, r in servos.items()}
    if len(set(versions.values())) > 1:
        listed = ", ".join(f"{servo_name(i, names)} {version}" for i, version in versions.items())
        remedy = "bring them to one version with Feetech's software; LeRobot refuses such an arm"
        tell.problem("firmware", f"expected one firmware version, found {listed}", remedy)
    if servos and all(r["homing_offset"] == 0 and _limits(r) == WHOLE_TURN for r in servos.values()):
        found = "have no homing offsets and no limits: not calibrated as LeRobot does it"
        tell.note("not_calibrated", found, "`so100 calibrate`, or `so100 calibrate --apply FILE` with its file")
    return tell


def _limits(r: Readings) -> tuple[int, int]:
    return r["min_position_limit"], r["max_position_limit"]
