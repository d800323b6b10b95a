"""The faults of the campaign, in the virtual bus's own language (docs/virtual_bus.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FaultKindTrial:
    """One kind of fault and how it is dealt out.

    `script` may hold {seed}, {servo} (drawn anew each time) and {probability} (so that about one packet in 300 is
    struck). Where `every` is 0 the script runs once, at the start; else once every so many cycles.
    """

    name: str
    script: str
    every: int = 0


def _packets(name: str, words: str) -> FaultKindTrial:
    return FaultKindTrial(name, f"{words} probability {{probability}} seed {{seed}}")


TRIALS = (
    _packets("flipped bits", "flip 3 bits"),
    _packets("lost bytes", "lose 2 bytes"),
    _packets("doubled bytes", "double 2 bytes"),
    _packets("lost replies", "lose packets"),
    _packets("lost requests", "lose packets in requests"),
    _packets("flipped bits in requests", "flip 3 bits in requests"),
    _packets("late replies", "late replies by 0.02"),
    _packets("foreign bytes", "foreign bytes"),
    _packets("foreign packets", "foreign packets"),
    _packets("wrong id", "wrong id"),
    _packets("false bits, right checksum", "falsify 3 bits"),
    FaultKindTrial("mute servo", "mute servo {servo} for 0.05", every=500),
    FaultKindTrial("rebooting servo", "reboot servo {servo}", every=1000),
    FaultKindTrial("two servos with one id", "take id {other} servo {servo} for 0.05", every=1000),
    FaultKindTrial("overload", "overload servo {servo} for 0.2", every=1000),
    FaultKindTrial("overheating", "overheat servo {servo} to 80 for 0.05", every=1000),
    FaultKindTrial("stall", "stall servo {servo} for 0.2", every=1000),
    FaultKindTrial("low voltage", "voltage to 3.5 servo {servo} for 0.05", every=1000),
    FaultKindTrial("brown-out", "brown-out", every=2000),
    FaultKindTrial("unplugged, back under a new name", "unplug for 0.1", every=2000),
)
