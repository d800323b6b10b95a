from __future__ import annotations

import signal

import pytest
from smolvla_ros.runtime.interrupt import interrupting, told_to_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_are_an_event_meanwhile_and_what_they_were_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with told_to_stop() as told:
        assert not told.is_set()
        signal.raise_signal(number)
        assert told.wait(1.0)
    assert signal.getsignal(number) is before


def test_sigterm_is_a_keyboard_interrupt_meanwhile_and_what_it_was_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as interrupt, interrupting():
        signal.raise_signal(signal.SIGTERM)
    assert interrupt.value.args == (signal.SIGTERM,)
    assert signal.getsignal(signal.SIGTERM) is before
