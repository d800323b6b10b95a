from __future__ import annotations

from types import SimpleNamespace

import pytest
from so100_hardware.bench import SECONDS_PER_BYTE, client, wire_ratio

from so100_hardware import VirtualBus

SYNC_READ_REQUEST = bytes([0xFF, 0xFF, 0xFE, 10, 0x82, 56, 15, 1, 2, 3, 4, 5, 6, 0])
REPLIES = bytes(126)
GOALS = bytes(26)


def captured(pause_s: float, cycles: int = 40) -> list[SimpleNamespace]:
    """Cycles whose bytes follow each other at once, with a pause behind each."""
    now_s, out = 5.0, []
    for _ in range(cycles):
        for data, to_servos in ((SYNC_READ_REQUEST, True), (REPLIES, False), (GOALS, True)):
            end_s = now_s + len(data) * SECONDS_PER_BYTE
            out.append(SimpleNamespace(begin_s=now_s, end_s=end_s, to_servos=to_servos, bytes=data))
            now_s = end_s
        now_s += pause_s
    return out


@pytest.mark.parametrize(("pause_s", "ratio"), [(0.0, 1.0), (166 * SECONDS_PER_BYTE, 2.0)])
def test_the_wire_ratio_is_the_cycle_over_its_bytes(pause_s: float, ratio: float) -> None:
    assert wire_ratio(captured(pause_s)) == pytest.approx(ratio)


def test_a_client_measures_each_round(virtual: VirtualBus) -> None:
    found = client(virtual.port, rounds=2, cycles=20)
    assert [len(found[key]) for key in ("wall_s", "cpu_s")] == [2, 2]
    assert min(found["wall_s"]) > 0
