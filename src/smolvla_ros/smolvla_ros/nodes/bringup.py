"""Takes managed nodes to the active state through their lifecycle services, as nav2's lifecycle_manager does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node

# answers to a node that discovery has not made known to both sides yet are lost: then its state says what became of it
PATIENCE_S = 1.0


class Step(NamedTuple):
    """A transition and the state that it leads to."""

    transition: str
    id: int
    target: str


STEPS = (
    Step("configure", Transition.TRANSITION_CONFIGURE, "inactive"),
    Step("activate", Transition.TRANSITION_ACTIVATE, "active"),
)


class Refusal(NamedTuple):
    """A node that stayed in the state before a transition. Why is in its log."""

    node: str
    transition: str


class Bringup:
    """Configures all nodes beside each other, then activates them one after the other, in the order given.

    `node` is spun by the caller.
    """

    def __init__(self, node: Node, names: Sequence[str]) -> None:
        self._ascents = [_Ascent(node, name) for name in names]

    @property
    def done(self) -> bool:
        return not any(ascent.left for ascent in self._ascents)

    def advance(self) -> Refusal | None:
        """Asks for the transitions that are due; the first refusal. Call it again and again until `done`."""
        activating = all(len(ascent.left) < len(STEPS) for ascent in self._ascents)
        for ascent in self._ascents:
            if not ascent.left:
                continue
            if activating or ascent.left[0] is STEPS[0]:
                ascent.advance(time.monotonic())
            if ascent.refused:
                return Refusal(ascent.name, ascent.left[0].transition)
            if activating:
                break
        return None


class _Ascent:
    """One node's way up. State: the steps left, and the question to it that is open."""

    def __init__(self, node: Node, name: str) -> None:
        self.name, self.left, self.refused = name, list(STEPS), False
        self._change = node.create_client(ChangeState, f"{name}/change_state")
        self._get = node.create_client(GetState, f"{name}/get_state")
        self._asked: Any = None
        self._asked_s = 0.0
        self._said_no = self._looks = False

    def advance(self, now_s: float) -> None:
        if self._asked is None:
            self._ask(self._change, ChangeState.Request(transition=Transition(id=self.left[0].id)), now_s, False)
        elif self._asked.done():
            answer, self._asked = self._asked.result(), None
            if self._looks:
                self._take(answer.current_state.label)
            elif answer.success:
                self.left.pop(0)
            else:
                self._said_no = True
                self._ask(self._get, GetState.Request(), now_s, True)
        elif now_s - self._asked_s > PATIENCE_S:
            self._asked.cancel()
            self._ask(self._get, GetState.Request(), now_s, True)

    def _ask(self, client: Any, request: Any, now_s: float, looks: bool) -> None:
        if client.service_is_ready():
            self._asked, self._asked_s, self._looks = client.call_async(request), now_s, looks

    def _take(self, state: str) -> None:
        if state == self.left[0].target:
            self.left.pop(0)
        elif self._said_no:
            self.refused = True
        self._said_no = False
