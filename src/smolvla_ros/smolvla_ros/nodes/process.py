"""How a node's process begins and ends: one readable line and code 2 for what an operator can mend, no traceback."""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from smolvla_ros.nodes.lifecycle import ManagedNode

# the process looks at signals between two callbacks; an inactive node has none, nor one whose clock stands
LOOK_PERIOD_S = 0.2
PARAMETER_ERRORS: tuple[type[Exception], ...] = (InvalidParameterTypeException, InvalidParameterValueException)


def run_node(
    make: Callable[[], Node],
    operator_errors: Sequence[type[Exception]],
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
) -> None:
    """Makes the node and spins it until SIGINT or SIGTERM; its `close`, where it has one, is called at the end.

    An error of `operator_errors` ends the process with code 2 and the error's message; so does a managed node that
    should start by itself and cannot. Where a library crashes, the log gets the threads' stacks.
    """
    faulthandler.enable()
    rclpy.init(signal_handler_options=rclpy.SignalHandlerOptions.NO)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    node = None
    try:
        node = make()
        if isinstance(node, ManagedNode) and not node.start_by_itself():
            sys.exit(2)
        # from here on a signal is looked at between two callbacks: raised inside one it would come out of rclpy's
        # bindings as some other error
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        executor = make_executor()
        executor.add_node(node)
        while not stop.is_set():
            executor.spin_once(timeout_sec=LOOK_PERIOD_S)
    except (*operator_errors, *PARAMETER_ERRORS) as error:
        rclpy.logging.get_logger(node.get_name() if node else "smolvla").fatal(str(error))
        sys.exit(2)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # a launcher and a terminal may both send Ctrl-C: the second must not break what the first has begun
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            getattr(node, "close", lambda: None)()
            node.destroy_node()
        rclpy.try_shutdown()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
