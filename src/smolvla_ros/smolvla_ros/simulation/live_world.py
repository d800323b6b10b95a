"""The world running in real time: one thread steps the physics and serves the servo bus, one for each camera draws it.

They meet in the state that the physics thread leaves behind after each control step; MuJoCo releases the interpreter's
lock while it steps and while it draws, so they overlap. Reset and judgement come from other threads, under one lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import mujoco
import numpy as np

from smolvla_ros.embodiment import Camera, Embodiment
from smolvla_ros.policies.interface import ObjectPose
from smolvla_ros.simulation.judge import Verdict, judge
from smolvla_ros.simulation.pacing import Pace, Rate
from smolvla_ros.simulation.rendering import NoRenderer, Renderer
from smolvla_ros.simulation.step_back import step_back
from smolvla_ros.simulation.world import World
from smolvla_ros.units import ServoTicks
from so100_hardware import VirtualBus

CONTROL_STEPS = 2  # physics steps between two exchanges with the servos: 240 Hz


@dataclass(frozen=True)
class Snapshot:
    """The world at one moment, and the model that qpos is of; stamp_s is of the clock that stamps images."""

    model: mujoco.MjModel
    stamp_s: float
    sim_time_s: float
    seed: int
    qpos: np.ndarray
    objects: dict[str, ObjectPose]


class LiveWorld:
    """`now_s` is the clock that stamps images. `on_frame(camera, stamp_s, image)` is called from the camera's thread at
    its rate, with None for a camera that nobody looks at.
    """

    def __init__(
        self,
        embodiment: Embodiment,
        usb_port: str,
        seed: int,
        now_s: Callable[[], float],
        on_frame: Callable[[str, float, np.ndarray | None], None],
        wanted: Callable[[str], bool],
        on_step: Callable[[float], None] | None = None,
    ) -> None:
        """`usb_port`: the link to the servo bus's pseudo-terminal, made here; "" for none. `wanted` tells whether
        anybody looks at a camera; one that nobody looks at is not drawn. `on_step` is told `elapsed_s` from the physics
        thread after each control step.
        """
        self._embodiment, self._now_s, self._on_frame, self._wanted = embodiment, now_s, on_frame, wanted
        self._on_step = on_step
        self.elapsed_s = 0.0  # simulated, since the start; no reset takes it back
        self._world = World(embodiment)
        self._world.reset(seed)
        self._ticks = ServoTicks(embodiment)
        self.bus = VirtualBus(
            [joint.servo_id for joint in embodiment.joints],
            link=usb_port or None,
            start_ticks=self._ticks.from_radians(self._world.positions).tolist(),
        )
        for joint in embodiment.joints:
            self.bus.set(joint.servo_id, "return_delay_time", 0)  # as LeRobot leaves an arm that it has set up
        # until a driver has put torque on for the first time, somebody holds the arm at home
        self._held_by_hand = True
        self._lock = threading.Lock()
        self._closing, self._drawing = threading.Event(), threading.Event()
        self._not_drawing = {camera.name for camera in embodiment.cameras}
        if not self._not_drawing:  # a robot without cameras
            self._drawing.set()
        self._failure: Exception | None = None
        self._pace = Pace(CONTROL_STEPS * World.timestep_s, time.monotonic())
        self.image_rates = dict.fromkeys((camera.name for camera in embodiment.cameras), 0.0)
        self.snapshot = self._take_snapshot()
        loops: dict[str, Callable[[], None]] = {"physics": self._step_for_ever}
        loops |= {camera.name: partial(self._draw_for_ever, camera) for camera in embodiment.cameras}
        self._threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=name, daemon=True) for name, loop in loops.items()
        ]
        for thread in self._threads:
            thread.start()

    @property
    def real_time_factor(self) -> float:
        return self._pace.real_time_factor

    def reset(self, seed: int, task: str) -> tuple[list[str], list[str]]:
        """A new scene around the arm, which stays where its servos hold it. Returns the names of the objects and of
        those that the arm has pushed from their places. Raises UnknownTask.
        """
        with self._lock:
            pushed = self._world.reset(seed, task, keep_arm=True)
            self.snapshot = self._take_snapshot()
            return list(self.snapshot.objects), pushed

    def judge(self, instruction: str) -> Verdict:
        with self._lock:
            return judge(self._world, instruction)

    def check(self) -> None:
        """Raises what ended a thread, if one has ended."""
        if self._failure is not None:
            raise self._failure

    def wait_until_drawn(self, timeout_s: float) -> None:
        """Returns when the cameras can draw. Raises NoRenderer where they cannot, or what else ended a thread."""
        self._drawing.wait(timeout_s)
        self.check()
        if not self._drawing.is_set():
            raise NoRenderer(f"the simulator's cameras: expected an OpenGL context within {timeout_s:g} s, found none")

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout=5.0)
        self.bus.close()

    def _take_snapshot(self) -> Snapshot:
        world = self._world
        return Snapshot(world.model, self._now_s(), world.time_s, world.seed, world.data.qpos.copy(), world.objects())

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as error:  # told by check(): a thread must not end unseen
            self._failure = error
            self._drawing.set()

    def _step_for_ever(self) -> None:
        period_s = CONTROL_STEPS * World.timestep_s
        while not self._closing.is_set():
            with self._lock:
                for _ in range(self._pace.steps_due(time.monotonic())):
                    self._control_step(period_s)
                self.snapshot = self._take_snapshot()
            time.sleep(period_s)

    def _control_step(self, period_s: float) -> None:
        world = self._world
        setpoints = self.bus.exchange(
            self._ticks.from_radians(world.positions),
            self._ticks.speed_from_radians(world.velocities),
            1000.0 * world.loads * np.sign(self._ticks.speed_from_radians(np.ones(len(world.loads)))),
            period_s,
        )
        if self._held_by_hand and not setpoints.torque_enabled.all():
            world.set_setpoints(self._embodiment.home_rad, np.ones(len(world.loads), dtype=bool))
        else:
            self._held_by_hand = False
            world.set_setpoints(
                self._ticks.to_radians(setpoints.position_ticks), setpoints.torque_enabled, setpoints.torque_share
            )
        world.step(CONTROL_STEPS)
        self.elapsed_s += period_s
        if self._on_step is not None:
            self._on_step(self.elapsed_s)

    def _draw_for_ever(self, camera: Camera) -> None:
        step_back()
        renderer = self._new_renderer(camera)
        self._not_drawing.discard(camera.name)
        if not self._not_drawing:
            self._drawing.set()
        due_s, rate = time.monotonic(), Rate()
        try:
            while not self._closing.is_set():
                snapshot, image, now_s = self.snapshot, None, time.monotonic()
                if renderer.model is not snapshot.model:  # another task
                    renderer.close()
                    renderer = self._new_renderer(camera)
                    continue
                due_s = max(due_s + 1.0 / camera.rate_hz, now_s)
                if self._wanted(camera.name):
                    renderer.take_state(snapshot.qpos)
                    image = renderer.draw(camera.name)
                    rate.happened(now_s)
                self._on_frame(camera.name, snapshot.stamp_s, image)
                self.image_rates[camera.name] = rate.hz(now_s)
                time.sleep(max(0.0005, due_s - time.monotonic()))
        finally:
            renderer.close()

    def _new_renderer(self, camera: Camera) -> Renderer:
        return Renderer(self._world, camera.width, camera.height)
