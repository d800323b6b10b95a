"""joint_trajectory_controller's rules (ROS 2 Jazzy) for what its topic takes and where the joints then are, when.

The controller's defaults hold: all joints or none, strictly increasing times, no velocity left at the end. It is set
to interpolate from the desired state (its parameter `interpolate_from_desired_state`), so that a trajectory that
replaces another continues from where the arm was told to be, not from where gravity lets it hang.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

END_VELOCITY_TOLERANCE_RAD_S = float(np.finfo(np.float32).eps)


class TrajectoryRejectedError(ValueError):
    """A trajectory that the controller does not take; the present one goes on."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(f"trajectory rejected: {field}: expected {expected}, found {found}")


@dataclass(frozen=True)
class TrajectoryPoint:
    """Empty velocities or accelerations mean that the sender did not say. Lengths are those of the joint names."""

    time_from_start_s: float
    positions: Sequence[float]
    velocities: Sequence[float] = ()
    accelerations: Sequence[float] = ()
    effort: Sequence[float] = ()


@dataclass(frozen=True)
class Trajectory:
    """A trajectory_msgs/JointTrajectory without ROS. `start_s` is on the clock of the follower; None means now."""

    joint_names: Sequence[str]
    points: Sequence[TrajectoryPoint]
    start_s: float | None = None


@dataclass(frozen=True)
class Setpoint:
    """Where the joints should be; arrays (joints,) in rad, rad/s, rad/s^2."""

    position: Vector
    velocity: Vector
    acceleration: Vector


@dataclass(frozen=True)
class _Knot:
    """A point in the order of the joints; None where the sender left it out."""

    time_s: float
    position: Vector
    velocity: Vector | None
    acceleration: Vector | None


def interpolate(a: _Knot, b: _Knot, time_s: float) -> Setpoint:
    """Between two knots: a line, with velocities at both ends a cubic, with accelerations too a quintic."""
    duration = b.time_s - a.time_s
    t = min(max(time_s - a.time_s, 0.0), duration)
    zero = np.zeros_like(a.position)
    if duration <= 0.0:
        return Setpoint(b.position, zero if b.velocity is None else b.velocity, zero)
    # Coefficients of the powers of t; column k belongs to t**k.
    coefficients = np.zeros((len(a.position), 6))
    coefficients[:, 0] = a.position
    distance = b.position - a.position
    if a.velocity is None or b.velocity is None:
        coefficients[:, 1] = distance / duration
    elif a.acceleration is None or b.acceleration is None:
        coefficients[:, 1] = a.velocity
        coefficients[:, 2] = 3 * distance / duration**2 - (2 * a.velocity + b.velocity) / duration
        coefficients[:, 3] = -2 * distance / duration**3 + (a.velocity + b.velocity) / duration**2
    else:
        after = distance - a.velocity * duration - a.acceleration * duration**2 / 2
        velocity = (b.velocity - a.velocity - a.acceleration * duration) * duration
        acceleration = (b.acceleration - a.acceleration) * duration**2
        coefficients[:, 1] = a.velocity
        coefficients[:, 2] = a.acceleration / 2
        coefficients[:, 3] = (10 * after - 4 * velocity + acceleration / 2) / duration**3
        coefficients[:, 4] = (-15 * after + 7 * velocity - acceleration) / duration**4
        coefficients[:, 5] = (6 * after - 3 * velocity + acceleration / 2) / duration**5
    powers = t ** np.arange(6)
    k = np.arange(1, 6)
    first = k * powers[:5]
    second = np.array([2.0, 6.0, 12.0, 20.0]) * powers[:4]
    return Setpoint(coefficients @ powers, coefficients[:, 1:] @ first, coefficients[:, 2:] @ second)


class TrajectoryFollower:
    """Holds one trajectory and says where the joints should be. Its only clock is the `now_s` of each call."""

    def __init__(self, joint_names: Sequence[str], hold_position: Sequence[float] | Vector) -> None:
        self._names = tuple(joint_names)
        self._knots: list[_Knot] = []
        self._start_s: float | None = None
        self._begun = False
        self.hold(hold_position)

    @property
    def active(self) -> bool:
        """True while a trajectory has not come to its end."""
        return bool(self._knots)

    @property
    def setpoint(self) -> Setpoint:
        """The last one given out."""
        return self._last

    def hold(self, position: Sequence[float] | Vector) -> None:
        """Forgets the trajectory and stays at `position` (joints,), rad."""
        position = np.array(position, dtype=np.float64)
        zero = np.zeros_like(position)
        self._last = Setpoint(position, zero, zero)
        self._knots = []

    def accept(self, trajectory: Trajectory, now_s: float) -> None:
        """Replaces the trajectory at hand. Raises TrajectoryRejectedError, and nothing changes then."""
        knots = self._checked(trajectory, now_s)
        self._knots, self._start_s, self._begun = knots, trajectory.start_s, False

    def sample(self, now_s: float) -> Setpoint:
        """Where the joints should be now. Times must not run backwards."""
        if not self._knots:
            return self._last
        if not self._begun:
            start_s = now_s if self._start_s is None else self._start_s
            last = self._last
            before = _Knot(now_s, last.position, last.velocity, last.acceleration)
            knots = [_Knot(start_s + k.time_s, k.position, k.velocity, k.acceleration) for k in self._knots]
            # Before the first point the way leads there from where the arm is; points in the past are skipped.
            self._knots = [before, *knots] if now_s < knots[0].time_s else knots
            self._begun = True
        while len(self._knots) > 1 and self._knots[1].time_s <= now_s:
            self._knots.pop(0)
        if len(self._knots) == 1:
            self.hold(self._knots[0].position)
            return self._last
        self._last = interpolate(self._knots[0], self._knots[1], now_s)
        return self._last

    def _checked(self, trajectory: Trajectory, now_s: float) -> list[_Knot]:
        names = list(trajectory.joint_names)
        if sorted(names) != sorted(self._names):
            raise TrajectoryRejectedError(
                "joint_names", f"each of {', '.join(self._names)} once", ", ".join(names) or "none"
            )
        if not trajectory.points:
            raise TrajectoryRejectedError("points", "at least one", "none")
        order = [names.index(name) for name in self._names]
        knots: list[_Knot] = []
        for i, point in enumerate(trajectory.points):
            where = f"points[{i}]"
            if len(point.effort) > 0:
                raise TrajectoryRejectedError(f"{where}.effort", "none, the joints are position controlled", "values")
            time_s = point.time_from_start_s
            if time_s < 0.0 or (knots and time_s <= knots[-1].time_s):
                expected = f"more than {knots[-1].time_s:g} s, the point before" if knots else "0 s or more"
                raise TrajectoryRejectedError(f"{where}.time_from_start", expected, f"{time_s:g} s")
            knots.append(
                _Knot(
                    time_s,
                    self._vector(point.positions, f"{where}.positions", order),
                    self._vector(point.velocities, f"{where}.velocities", order) if len(point.velocities) else None,
                    self._vector(point.accelerations, f"{where}.accelerations", order)
                    if len(point.accelerations)
                    else None,
                )
            )
        end_velocity = knots[-1].velocity
        if end_velocity is not None and np.abs(end_velocity).max() > END_VELOCITY_TOLERANCE_RAD_S:
            found = f"{np.abs(end_velocity).max():g} rad/s"
            raise TrajectoryRejectedError(f"points[{len(knots) - 1}].velocities", "0 at the end", found)
        if trajectory.start_s is not None and trajectory.start_s + knots[-1].time_s < now_s:
            late_s = now_s - trajectory.start_s - knots[-1].time_s
            raise TrajectoryRejectedError("header.stamp", "an end that is not past", f"one that was {late_s:.3f} s ago")
        return knots

    @staticmethod
    def _vector(values: Sequence[float], field: str, order: Sequence[int]) -> Vector:
        if len(values) != len(order):
            raise TrajectoryRejectedError(field, f"{len(order)} values", str(len(values)))
        vector = np.asarray(values, dtype=np.float64)[list(order)]
        if not np.isfinite(vector).all():
            raise TrajectoryRejectedError(field, "finite numbers", str(list(values)))
        return vector
