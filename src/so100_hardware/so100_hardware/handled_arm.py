"""The arm behind a virtual bus that a hand moves while its servos have no torque."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from so100_hardware import REGISTERS, VirtualBus

STEP_S = 0.005
LAG_S = 0.03  # of a servo behind its setpoint
FASTEST_TICKS_S = 3400.0
PATIENCE_S = 30.0


class HandledArm:
    """State: where each shaft is, and where the hand holds it. A thread of its own moves the arm until it is closed."""

    def __init__(self, virtual: VirtualBus, servo_ids: Sequence[int]) -> None:
        self._virtual, self._ids = virtual, tuple(servo_ids)
        self._ticks: NDArray[np.float64] = np.array(virtual.actual_ticks)
        self._held = self._ticks.copy()
        self._steps = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="handled_arm", daemon=True)
        virtual.record()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def place(self, ticks: Mapping[int, float]) -> None:
        """Moves shafts, servo id -> encoder ticks; they are there when it returns."""
        with self._lock:
            for servo_id, place in ticks.items():
                self._held[self._ids.index(servo_id)] = place
        steps = self._steps
        while self._steps < steps + 2:
            time.sleep(STEP_S)

    def hold(self, ticks: Mapping[int, float]) -> None:
        """The same, and returns when a program has read them there. Raises TimeoutError."""
        self.place(ticks)
        deadline = time.monotonic() + PATIENCE_S
        unseen = set(ticks)
        while unseen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody read the position of servos {sorted(unseen)} within {PATIENCE_S} s")
            time.sleep(STEP_S)
            for reply in self._virtual.take_replies():
                if reply.address == REGISTERS["present_position"].address and reply.servo_id in unseen:
                    place = ticks[reply.servo_id] - self._virtual.get(reply.servo_id, "homing_offset")
                    if int.from_bytes(reply.truth[5:7], "little") == round(place) % 4096:
                        unseen.discard(reply.servo_id)

    def _run(self) -> None:
        speed: NDArray[np.float64] = np.zeros(len(self._ids))
        while not self._closing.wait(STEP_S):
            setpoints = self._virtual.exchange(self._ticks, speed, 1000.0 * speed / FASTEST_TICKS_S, STEP_S)
            driven = np.clip((setpoints.position_ticks - self._ticks) / LAG_S, -FASTEST_TICKS_S, FASTEST_TICKS_S)
            speed = np.where(setpoints.torque_enabled, driven, 0.0)
            with self._lock:
                self._ticks = np.where(setpoints.torque_enabled, self._ticks + speed * STEP_S, self._held)
                self._steps += 1
                self._held = self._ticks.copy()  # the hand lets an arm go that moves by itself
