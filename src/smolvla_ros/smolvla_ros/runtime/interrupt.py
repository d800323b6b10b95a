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
    """An event, for loops that end when they are told to."""
    told = threading.Event()
    with _handled(lambda *_: told.set(), signal.SIGINT, signal.SIGTERM):
        yield told


@contextmanager
def interrupting() -> Iterator[None]:
    """SIGTERM is a KeyboardInterrupt too, with the signal's number: what a command began, workers too, ends with it."""
    with _handled(_interrupt, signal.SIGTERM):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What comes meanwhile comes at the end: inside of rclpy a KeyboardInterrupt may be lost, or become another error.

    For the main thread, which is the one that signals interrupt; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    with _handled(lambda number, _frame: came.append(number), signal.SIGINT, signal.SIGTERM):
        yield
    for number in came[:1]:
        signal.raise_signal(number)


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
