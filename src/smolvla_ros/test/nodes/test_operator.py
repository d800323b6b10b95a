from __future__ import annotations

import time

import pytest
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.nodes.operator import join_graph
from smolvla_ros.runtime.errors import OperatorError


def test_an_answer_is_waited_for_until_that_is_in_vain(ros_domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros_domain))
    operator = join_graph(load_embodiment())
    try:
        asked = time.monotonic()
        operator.in_vain = lambda: time.monotonic() > asked + 0.5
        with pytest.raises(OperatorError, match="no service /simulator/reset"):
            operator.reset_scene(1)
        assert 0.5 < time.monotonic() - asked < 20.0  # the time that a scene may take
    finally:
        operator.leave()
