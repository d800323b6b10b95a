from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from so100_hardware import REGISTERS, BadRequestError, ServoJoint

SIGNED = [r for r in REGISTERS.values() if r.sign_bit is not None]


def test_no_two_registers_share_a_byte() -> None:
    used: dict[int, str] = {}
    for register in REGISTERS.values():
        for address in range(register.address, register.address + register.size):
            assert address not in used, (register.name, used[address])
            used[address] = register.name


def test_the_registers_of_a_cycle_are_where_the_servo_has_them() -> None:
    known = {"torque_enable": 40, "goal_position": 42, "lock": 55, "present_position": 56, "present_current": 69}
    assert {name: REGISTERS[name].address for name in known} == known
    assert REGISTERS["model_number"].initial == 777
    assert {r.name: r.sign_bit for r in SIGNED}.items() >= {
        "homing_offset": 11,
        "goal_position": 15,
        "present_position": 15,
        "present_velocity": 15,
        "present_load": 10,
    }.items()


@pytest.mark.parametrize("register", SIGNED, ids=lambda r: r.name)
def test_signs_are_a_bit_above_the_magnitude(register) -> None:
    limit = (1 << register.sign_bit) - 1
    for value in (0, 1, -1, limit, -limit):
        assert register.decode(register.encode(value)) == value
    assert register.encode(-5) == (1 << register.sign_bit) | 5
    for beyond in (limit + 1, -limit - 1):
        with pytest.raises(BadRequestError, match=f"{register.name}: cannot hold {beyond}"):
            register.encode(beyond)


@given(
    st.sampled_from([1, -1]),
    st.integers(0, 4095),
    st.integers(0, 4095),
)
def test_ticks_to_radians_and_back_is_exact(sign: int, zero: int, ticks: int) -> None:
    joint = ServoJoint("j", 1, sign, zero, (0, 4095), (-7.0, 7.0))
    rad = joint.radians(ticks)
    assert rad == pytest.approx(sign * (ticks - zero) * 2 * math.pi / 4096, abs=1e-12)
    assert joint.ticks(rad) == pytest.approx(ticks, abs=1e-9)
