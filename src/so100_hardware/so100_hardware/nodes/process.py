"""How a node's process begins and ends: one readable line and code 2 for what an operator can mend."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

FATAL_EXIT_CODE = 2


class ServoNode(Protocol):
    """A Node that holds a servo bus. `let_go` is called at the end, whatever ended it."""

    def let_go(self) -> None: ...
    def destroy_node(self) -> None: ...


def run_node(name: str, make: Callable[[], ServoNode], operator_errors: tuple[type[Exception], ...]) -> None:
    """Spins the node until SIGINT or SIGTERM and ends the process."""
    # rclpy's own handler would take the context away in the middle of a cycle
    rclpy.init(signal_handler_options=rclpy.SignalHandlerOptions.NO)
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    node = None
    code = 0
    try:
        node = make()
        # from here on a signal is looked at between two cycles: raised inside one it would come out of rclpy's
        # bindings as some other error
        stop = threading.Event()
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        # a look for garbage through all that is there for good may take longer than a cycle
        gc.collect()
        gc.freeze()
        while not stop.is_set():
            executor.spin_once()
    except operator_errors as error:
        rclpy.logging.get_logger(name).fatal(str(error))
        code = FATAL_EXIT_CODE
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave the arm stiff
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if node is not None:
            node.let_go()
            node.destroy_node()
        rclpy.try_shutdown()
    sys.exit(code)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
