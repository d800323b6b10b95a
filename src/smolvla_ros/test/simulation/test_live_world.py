"""The world in real time, driven over its pseudo-terminal as a driver would. Waits are on what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.simulation.live_world import LiveWorld, Snapshot
from smolvla_ros.simulation.so100 import SO100
from smolvla_ros.simulation.world import UnknownTask, World
from smolvla_ros.units import ServoTicks

from so100_hardware import Bus

ROBOT = load_embodiment()
TICKS = ServoTicks(ROBOT)
IDS = [joint.servo_id for joint in ROBOT.joints]
_model = World(ROBOT).model
ADDRESSES = [_model.joint(SO100.joints[name].mjcf_name).qposadr[0] for name in ROBOT.joint_names]


class Run:
    """A live world and what it has drawn. `looked_at`: the cameras that somebody wants images of."""

    def __init__(self, link: str) -> None:
        self.looked_at: set[str] = set()
        self.frames: list[tuple[str, float, np.ndarray | None]] = []
        self.live = LiveWorld(
            ROBOT, link, 3, time.time, lambda *frame: self.frames.append(frame), self.looked_at.__contains__
        )

    def wait(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            self.live.check()
            assert time.monotonic() < end, f"not within {timeout_s} s"
            time.sleep(0.005)

    def pass_time(self, seconds: float) -> Snapshot:
        """Waits until the simulated clock has gone on by so much; returns the state then."""
        until_s = self.live.snapshot.sim_time_s + seconds
        self.wait(lambda: self.live.snapshot.sim_time_s >= until_s)
        return self.live.snapshot


def arm(snapshot: Snapshot) -> np.ndarray:
    """(6,) rad."""
    return snapshot.qpos[ADDRESSES] - SO100.offsets(ROBOT.joint_names)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(str(tmp_path / "bus"))
    yield run
    run.live.close()


def goal(bus: Bus, positions: np.ndarray) -> None:
    ticks = np.rint(TICKS.from_radians(positions)).astype(int).tolist()
    bus.sync_write("goal_position", dict(zip(IDS, ticks, strict=True)))


def test_the_arm_waits_at_home_obeys_the_bus_and_falls_without_torque(run: Run, tmp_path: Path) -> None:
    np.testing.assert_allclose(arm(run.pass_time(0.5)), ROBOT.home_rad, atol=0.02)
    bus = Bus(str(tmp_path / "bus"))
    goal(bus, ROBOT.home_rad)
    bus.sync_write("torque_enable", dict.fromkeys(IDS, 1))
    up = np.array([0.5, 1.5, -1.2, 0.6, 0.0, 0.3])  # out of balance
    goal(bus, up)
    run.wait(lambda: bool(np.abs(arm(run.live.snapshot) - up).max() < 0.02))
    present = np.array([bus.read(servo, "present_position") for servo in IDS], dtype=float)
    np.testing.assert_allclose(TICKS.to_radians(present), up, atol=0.03)
    bus.sync_write("torque_enable", dict.fromkeys(IDS, 0))
    run.wait(lambda: bool(np.abs(arm(run.live.snapshot) - up).max() > 0.1))
    bus.close()


def test_only_cameras_that_are_looked_at_are_drawn_and_each_frame_has_its_stamp(run: Run) -> None:
    run.looked_at.add("top")
    run.wait(lambda: len(run.frames) > 20)
    frames = list(run.frames)[-10:]
    assert {name for name, _, image in frames if image is None} == {"wrist"}
    images = [(stamp, image) for name, stamp, image in frames if name == "top" and image is not None]
    assert images[0][1].shape == (480, 640, 3)
    stamps = [stamp for stamp, _ in images]
    assert stamps == sorted(set(stamps))
    assert run.live.image_rates["top"] > 0 == run.live.image_rates["wrist"]


def test_a_reset_changes_the_scene_and_not_the_arm(run: Run) -> None:
    before = run.live.snapshot
    names, pushed = run.live.reset(4, "")
    assert names == ["red cube", "blue cube", "red box", "blue box"]
    assert pushed == []
    after = run.live.snapshot
    assert after.seed == 4
    assert not np.allclose(after.objects["red cube"].position, before.objects["red cube"].position, atol=1e-3)
    np.testing.assert_allclose(arm(after), arm(before), atol=0.02)
    with pytest.raises(UnknownTask):
        run.live.reset(5, "juggle")
    assert run.live.snapshot.seed == 4


def test_what_ends_a_thread_is_told(run: Run) -> None:
    class Broken(Exception):
        pass

    def refuse(*_: object) -> None:
        raise Broken("no one takes images")

    run.live._on_frame = refuse
    with pytest.raises(Broken, match="no one takes images"):
        run.wait(lambda: False, timeout_s=10.0)


def test_the_bus_link_goes_when_the_world_is_closed(tmp_path: Path) -> None:
    run = Run(str(tmp_path / "bus"))
    assert (tmp_path / "bus").is_symlink()
    run.live.close()
    assert not (tmp_path / "bus").is_symlink()


def test_cameras_go_on_with_the_scene_of_another_task(run: Run) -> None:
    run.looked_at |= {"top", "wrist"}
    for task in ("sorting", "pick_and_place", "stacking", "pick_and_place"):
        run.live.reset(3, task)
        drawn = len(run.frames)
        run.wait(lambda drawn=drawn: {name for name, _, _ in run.frames[drawn:]} == {"top", "wrist"})  # type: ignore[misc]
