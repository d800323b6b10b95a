"""The language of faults: what it takes, and what it says about the rest."""

from __future__ import annotations

import pytest

from so100_hardware import BadRequestError, VirtualBus

GOOD = """
# every kind, and every option
at 100 flip bits probability 0.01 servo all for 10 seed 7
at 100 flip 3 bits in requests count 4
lose bytes servo 1,2 at 100
at 100 lose 2 bytes
at 100 double byte          # singular
at 100 falsify bits probability 0.5
at 100 lose packets in requests
at 100 late replies by 0.05
at 100 late reply servo 2 by 0.05
at 100 foreign bytes ff FF 03 04 probability 1
at 100 foreign bytes unasked
at 100 foreign packets count 2
at 100 wrong id
at 100 wrong id 5 servo 3
at 100 mute servo 3 for 1.5
at 100 reboot
at 100 stall servo 1
at 100 overload servo 1 for 2
at 100 overheat servo 2 to 80
at 100 voltage to 5.5
at 100 take id 3 servo 4
at 100 brown-out
at 100 unplug for 2 without link
at 100 set phase 28 servo 6
at 100 set homing_offset -2047
at 100 clear flip bits servo 2
at 101 clear
"""


def test_every_kind_is_taken(virtual: VirtualBus) -> None:
    virtual.inject_fault(GOOD)
    assert set(virtual.fault_counters.values()) == {0}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("explode", "line 1: expected one of flip bits, lose bytes, .*, clear, found 'explode'"),
        ("mute\n\n# ok\nmutt servo 3", "line 4: expected one of flip bits, .* found 'mutt'"),
        ("flip", "line 1: expected 'flip bits', found 'flip'"),
        ("lose 2", "line 1: expected 'lose bytes' or 'lose packets', found 'lose'"),
        ("flip 0 bits", "line 1: expected a whole number of 1 to 64, found '0'"),
        ("lose 2 packets", "line 1: expected 'lose bytes' or 'lose packets'"),
        ("at soon mute", "line 1: expected seconds of 0 to 1e\\+09, found 'soon'"),
        ("mute for", "line 1: expected seconds of 0 to 1e\\+09, found the end of the line"),
        ("mute for -1", "found '-1'"),
        ("mute servo 3 probability 0.1", "line 1: expected 'at', 'servo', 'for' or the end of the line, found 'probab"),
        ("flip bits probability 2", "line 1: expected a probability of 0 to 1, found '2'"),
        ("flip bits probability nan", "expected a probability of 0 to 1, found 'nan'"),
        ("flip bits count 1.5", "line 1: expected a whole number, found '1.5'"),
        ("late replies", "line 1: expected 'by' and seconds, found the end of the line"),
        ("late replies in requests", "expected 'at', 'by', 'servo', 'for', 'probability', .* found 'in'"),
        ("voltage 5", "expected 'at', 'to', 'servo', 'for' or the end of the line, found '5'"),
        ("foreign bytes ff 1ff", "found '1ff'"),
        ("wrong id 254", "line 1: expected a whole id of 0 to 253, found '254'"),
        ("take id servo 4", "line 1: expected a whole id of 0 to 253, found 'servo'"),
        ("set speed 3", "line 1: expected a register's name, found 'speed'"),
        ("set lock", "line 1: expected a whole number of -65535 to 65535, found the end of the line"),
        ("set lock 256", "line 1: expected a value that lock can hold, found '256'"),
        ("set homing_offset 2048", "expected a value that homing_offset can hold, found '2048'"),
        ("mute servo 3,x", "line 1: expected 'all' or ids like 3 or 1,2, found '3,x'"),
        ("mute servo", "expected 'all' or ids like 3 or 1,2, found the end of the line"),
        ("mute servo 7", "no servo with id 7"),
        ("clear everything", "line 1: expected one of flip bits, .* found 'everything'"),
        ("unplug servo 3", "line 1: expected 'at', 'for', 'without link' or the end of the line, found 'servo'"),
    ],
)
def test_what_makes_no_sense_is_told_with_both_sides(virtual: VirtualBus, script: str, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        virtual.inject_fault(script)


def test_a_script_with_an_error_does_nothing(virtual: VirtualBus) -> None:
    with pytest.raises(BadRequestError, match="line 2"):
        virtual.inject_fault("mute servo 1\nmute servo x")
    assert virtual.fault_counters["mute"] == 0
