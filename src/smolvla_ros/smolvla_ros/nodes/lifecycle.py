"""What the managed nodes share: the states of ROS 2's node lifecycle, parameters that know when they may change.

    unconfigured --configure--> inactive --activate--> active --deactivate--> inactive --cleanup--> unconfigured

A node writes `configure`, `activate`, `deactivate` and `cleanup`; what it creates in the first two is destroyed here in
the last two. A transition that fails says why in one line and leaves a node that can be configured again.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.subscription import Subscription

from smolvla_ros.nodes.newest import NotSpun
from smolvla_ros.nodes.parameters import Parameter, declare

AUTOSTART = Parameter("autostart", False, "configure and activate at the start; else wait for ros2 lifecycle set")


class ManagedNode(LifecycleNode):
    """State: what has been created since configure and since activate. Everything runs in the spinning thread."""

    def __init__(
        self, name: str, parameters: Sequence[Parameter], operator_errors: Sequence[type[Exception]] = ()
    ) -> None:
        """An error of `operator_errors` is told by its message; any other with where it came from."""
        super().__init__(name)
        self._table = {parameter.name: parameter for parameter in (AUTOSTART, *parameters)}
        self._operator_errors = tuple(operator_errors)
        declare(self, tuple(self._table.values()), read_only=False)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._take_parameters)
        self._lasting = self._entities()
        self._configured = self._lasting
        # rclpy lets a transition that the present state does not have end the process
        self._change_state = self._service_change_state.callback
        self._service_change_state.callback = self._change_state_if_possible

    # what a node fills in

    def configure(self) -> None:
        """Reads files, makes what has to be there before anything moves. Raises what the operator can mend."""

    def activate(self) -> None:
        """Begins to do the work."""

    def deactivate(self) -> None:
        """Ends the work; what the node moves comes to rest."""

    def cleanup(self) -> None:
        """Forgets what configure made. Also called after a configure that failed half-way."""

    def retune(self, settings: dict[str, Any]) -> None:
        """Live parameters have changed."""

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Raises ValueError where these values cannot be. The ranges hold already."""

    # for the process

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        """Those that have a callback: the events executor would take the messages of the others, too."""
        return (each for each in super().subscriptions if not isinstance(each.callback_group, NotSpun))

    @property
    def settings(self) -> dict[str, Any]:
        return {name: self.get_parameter(name).value for name in self._table}

    @property
    def state(self) -> str:
        """unconfigured, inactive, active, finalized, or the transition under way."""
        return str(self._state_machine.current_state[1])

    def start_by_itself(self) -> bool:
        """With autostart: to the active state. False where that failed; the reason is in the log."""
        if not self.settings[AUTOSTART.name]:
            self.get_logger().info(f"unconfigured; ros2 lifecycle set {self.get_fully_qualified_name()} configure")
            return True
        done = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == done and self.trigger_activate() == done

    def close(self) -> None:
        """The process ends."""
        if self.state in ("unconfigured", "inactive", "active"):
            self.trigger_shutdown()
        else:
            self._undo_configure()

    # transitions

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        done = self._try("configure", self.configure)
        if done != TransitionCallbackReturn.SUCCESS:
            self._undo_configure()
        return done

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        self._configured = self._entities()
        done = self._try("activate", self.activate)
        if done != TransitionCallbackReturn.SUCCESS:
            self._undo_activate()
            return done
        # a look for garbage through all that is there for good takes tens of milliseconds, and may come at any time
        gc.collect()
        gc.freeze()
        return done

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        return self._try("deactivate", self._undo_activate)

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        return self._try("cleanup", self._undo_configure)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        if state.label == "active":
            self._try("deactivate", self._undo_activate)
        return self._try("cleanup", self._undo_configure)

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Success leads to unconfigured: whatever went wrong, the node can be configured again."""
        self._try("cleanup", self._undo_configure)
        return TransitionCallbackReturn.SUCCESS

    def _try(self, transition: str, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except self._operator_errors as error:
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would say nothing at all
            self.get_logger().debug(traceback.format_exc())
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.get_logger().fatal(
                f"{transition}: {type(error).__name__}: {error} ({where.filename}:{where.lineno}); please report this"
            )
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _undo_activate(self) -> None:
        gc.unfreeze()
        try:
            self.deactivate()
        finally:
            self._destroy_all_but(self._configured)

    def _undo_configure(self) -> None:
        try:
            self.cleanup()
        finally:
            self._destroy_all_but(self._lasting)

    def _entities(self) -> set[Any]:
        return {*self.publishers, *super().subscriptions, *self.clients, *self.services, *self.timers}

    def _destroy_all_but(self, kept: set[Any]) -> None:
        for entities, destroy in (
            (self.timers, self.destroy_timer),
            (super().subscriptions, self.destroy_subscription),
            (self.services, self.destroy_service),
            (self.clients, self.destroy_client),
            (self.publishers, self.destroy_publisher),
        ):
            for entity in [entity for entity in entities if entity not in kept]:
                destroy(entity)

    def _change_state_if_possible(self, request: Any, response: Any) -> Any:
        try:
            return self._change_state(request, response)
        except rclpy_implementation.RCLError:
            wanted = request.transition.label or f"transition {request.transition.id}"
            self.get_logger().error(f"{wanted}: expected a transition from '{self.state}', which has none of that kind")
            response.success = False
            return response

    # parameters

    def _check_parameters(self, changes: list[Any]) -> SetParametersResult:
        names = [change.name for change in changes if change.name in self._table]
        fixed = [name for name in names if not self._table[name].live]
        if fixed and self.state != "unconfigured":
            return SetParametersResult(
                successful=False,
                reason=f"{fixed[0]} is read at configuration: deactivate and clean up first; the node is {self.state}",
            )
        try:
            self.check_settings(self.settings | {change.name: change.value for change in changes})
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_parameters(self, changes: list[Any]) -> None:
        if self.state in ("inactive", "active") and any(change.name in self._table for change in changes):
            self.retune(self.settings)
