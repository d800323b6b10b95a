from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.network.link import Conditions, LossyLine


def frames(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


@given(st.integers(0, 2**16), st.floats(0, 2), st.floats(0, 0.9), st.lists(st.floats(0, 0.1), min_size=1, max_size=80))
def test_what_is_not_lost_arrives_in_order_and_not_before_its_delay(
    seed: int, delay_s: float, loss: float, pauses_s: list[float]
) -> None:
    line, conditions = LossyLine(seed), Conditions(delay_s, loss)
    now_s, sent_s, arrived = 0.0, [], []
    for frame, pause_s in zip(frames(len(pauses_s)), pauses_s, strict=True):
        now_s += pause_s
        sent_s.append(now_s)
        line.put(frame, now_s, conditions)
        for each in line.arrived(now_s, conditions):
            assert now_s >= sent_s[int.from_bytes(each, "big")] + delay_s
            arrived.append(each)
    assert line.next_s >= now_s
    arrived += line.arrived(now_s + delay_s, conditions)
    assert arrived == sorted(arrived)
    assert (line.passed, line.lost) == (len(arrived), len(pauses_s) - len(arrived))
    assert line.bytes == 4 * len(arrived)


def test_the_share_that_is_lost_is_the_one_asked_for() -> None:
    line, conditions = LossyLine(seed=1), Conditions(loss=0.05)
    for frame in frames(20_000):
        line.put(frame, 0.0, conditions)
    assert 0.045 < line.lost / 20_000 < 0.055


def test_a_line_that_breaks_loses_what_is_under_way_and_passes_again_when_whole() -> None:
    line, whole = LossyLine(seed=0), Conditions(delay_s=1.0)
    broken = Conditions(delay_s=1.0, broken=True)
    line.put(b"under way", 0.0, whole)
    line.put(b"in the gap", 0.5, broken)
    assert line.arrived(0.6, broken) == []
    line.put(b"after", 0.7, whole)
    assert line.arrived(5.0, whole) == [b"after"]
    assert line.lost == 2
