"""The comparison with LeRobot's SO100Follower, against a stand-in that does the same with this package's Bus."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from so100_hardware.peer_process import PeerError

import so100_hardware
from so100_hardware import lerobot_follower

STAND_IN = """
import json, select, sys
sys.path.insert(0, {packages!r})
from so100_hardware import Bus, units
from so100_hardware.calibration import Calibration, JointCalibration, load_calibration, save_calibration
from pathlib import Path

NAMES = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
IDS = dict(zip(NAMES, range(1, 7)))
file = Path(sys.argv[2]) / "virtual.json"
bus = Bus(sys.argv[1], reply_timeout_s=0.1)

def tell(**found):
    print("\\n@" + json.dumps(found), flush=True)
    sys.stdin.readline()

def positions():
    return bus.sync_read(list(IDS.values()), "present_position")

def write(servo_id, **values):
    for name, value in values.items():
        bus.write(servo_id, name, value)

for i in IDS.values():
    write(i, torque_enable=0, lock=0, phase=12, return_delay_time=0, maximum_acceleration=254, acceleration=254,
          operating_mode=0, p_coefficient=16, i_coefficient=0, d_coefficient=32)
write(6, max_torque_limit=500, protection_current=250, overload_torque=25)
print("move it to the middle and press ENTER....", flush=True)
sys.stdin.readline()
offsets = {{i: ticks - {half_turn} for i, ticks in positions().items()}}
for i, offset in offsets.items():
    write(i, homing_offset=offset)
lows, highs = positions(), positions()
print("Press ENTER to stop...", flush=True)
while not select.select([sys.stdin], [], [], 0.005)[0]:
    for i, ticks in positions().items():
        lows[i], highs[i] = min(lows[i], ticks), max(highs[i], ticks)
sys.stdin.readline()
lows[5], highs[5] = 0, 4095
joints = {{n: JointCalibration(i, 0, offsets[i], lows[i], highs[i]) for n, i in IDS.items()}}
save_calibration(Calibration(joints), file)
for i in IDS.values():
    write(i, min_position_limit=lows[i], max_position_limit=highs[i])
    write(i, torque_enable=1, lock=1)
tell(file=str(file))
for share in (0.4, 0.6):
    goals, sent, seen = {{}}, {{}}, {{}}
    for name, i in IDS.items():
        goals[i] = int(lows[i] + share * (highs[i] - lows[i]))
        convert = units.range_0_100_from_ticks if name == "gripper" else units.degrees_from_ticks
        sent[name + ".pos"] = convert(goals[i] + 0.5, (lows[i], highs[i]))
    bus.sync_write("goal_position", goals)
    while positions() != goals:
        pass
    for name, i in IDS.items():
        convert = units.range_0_100_from_ticks if name == "gripper" else units.degrees_from_ticks
        seen[name + ".pos"] = convert(goals[i], (lows[i], highs[i]))
    tell(action=sent, observation=seen)
for i in IDS.values():
    bus.write(i, "torque_enable", 0)
tell()
tell(calibrated=True)
"""


def stand_in(tmp_path: Path, half_turn: int = 2047) -> Path:
    script = tmp_path / "stand_in.py"
    packages = str(Path(so100_hardware.__file__).parents[1])
    script.write_text(STAND_IN.format(packages=packages, half_turn=half_turn))
    return script


def test_an_arm_calibrated_as_lerobot_does_shows_no_difference(tmp_path: Path) -> None:
    table = lerobot_follower.compare(Path(sys.executable), stand_in(tmp_path))
    assert [wrong for _, wrong in table.values()] == [[]] * 5
    assert table["servo registers after calibration"][0] == 6 * 13 + 3
    assert table["goals sent and positions seen"][0] == 2 * 18


def test_another_middle_is_told_for_every_joint(tmp_path: Path) -> None:
    table = lerobot_follower.compare(Path(sys.executable), stand_in(tmp_path, half_turn=2048))
    wrong = table["servo registers after calibration"][1]
    assert "shoulder_pan: homing_offset: expected 1, LeRobot 0" in wrong
    assert sum("homing_offset" in line for line in wrong) == 6
    assert table["calibration file and servos"][1] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print('no arm here')", "LeRobot ended before it said 'press ENTER....': no arm here"),
        ("raise ValueError('no feetech')", "ValueError: no feetech"),
    ],
)
def test_a_peer_that_fails_is_told_with_its_last_words(tmp_path: Path, text: str, message: str) -> None:
    script = tmp_path / "peer.py"
    script.write_text(text)
    with pytest.raises(PeerError) as told:
        lerobot_follower.compare(Path(sys.executable), script)
    assert message in str(told.value)
    with pytest.raises(PeerError, match="/no/such/python"):
        lerobot_follower.compare(Path("/no/such/python"), script)
