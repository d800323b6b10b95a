"""Ctrl-C, and SIGTERM, which `docker stop`, systemd and a cluster's queue send in its place."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event, for loops that spin a node: inside of rclpy a KeyboardInterrupt may be lost or become another error."""
    told = threading.Event()
    with _handled(lambda *_: told.set(), signal.SIGINT, signal.SIGTERM):
        yield told


@contextmanager
def interrupting() -> Iterator[None]:
    """SIGTERM is a KeyboardInterrupt too, with the signal's number: what a command began, workers too, ends with it."""
    with _handled(_interrupt, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)
