from __future__ import annotations

import os
import signal

from smolvla_ros.runtime.interrupt import told_to_stop


def test_ctrl_c_is_an_event_meanwhile_and_what_it_was_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with told_to_stop() as told:
        assert not told.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert told.wait(1.0)
    assert signal.getsignal(signal.SIGINT) is before
