from __future__ import annotations

import numpy as np
from smolvla_ros.conversion.commanded import NANOSECONDS, Command, commanded_positions

MS = NANOSECONDS // 1000


def command(received_ms: int, times_ms: list[int], rows: list[float], velocities: list[float] | None = None) -> Command:
    moving = None if velocities is None else np.array(velocities)[:, None]
    return Command(received_ms * MS, np.array(times_ms) * MS, np.array(rows)[:, None], moving)


def told(commands: list[Command], known_ms: list[int], ahead_ms: int = 0) -> list[float]:
    return commanded_positions(commands, np.array(known_ms) * MS, ahead_ms * MS)[:, 0].tolist()


def test_points_are_joined_by_straight_lines_and_the_last_is_held() -> None:
    assert told([command(0, [0, 100], [0.0, 1.0])], [0, 25, 100, 500]) == [0.0, 0.25, 1.0, 1.0]


def test_the_goal_is_what_the_arm_was_told_to_be_one_step_later() -> None:
    np.testing.assert_allclose(told([command(0, [0, 100], [0.0, 1.0])], [0, 50], ahead_ms=33), [0.33, 0.83])


def test_velocities_make_cubics_as_in_the_controller() -> None:
    at_rest = command(0, [0, 1000], [0.0, 1.0], [0.0, 0.0])
    assert told([at_rest], [500])[0] == 0.5
    np.testing.assert_allclose(told([at_rest], [250]), [3 * 0.25**2 - 2 * 0.25**3])


def test_a_trajectory_that_has_not_come_yet_is_not_known() -> None:
    commands = [command(0, [0, 100], [0.0, 1.0]), command(60, [60, 160], [5.0, 5.0])]
    np.testing.assert_allclose(told(commands, [50, 59, 60], ahead_ms=30), [0.8, 0.89, 5.0])


def test_a_trajectory_that_begins_later_is_gone_to_from_where_the_arm_was_told_to_be() -> None:
    commands = [command(0, [0, 10], [0.0, 1.0]), command(100, [200, 300], [3.0, 4.0])]
    assert told(commands, [100, 150, 200, 250]) == [1.0, 2.0, 3.0, 3.5]


def test_a_single_point_of_a_leader_arm_is_the_goal_itself() -> None:
    commands = [command(k * 33, [k * 33 + 33], [float(k)]) for k in range(4)]
    assert told(commands, [0, 33, 66, 99], ahead_ms=33) == [0.0, 1.0, 2.0, 3.0]
