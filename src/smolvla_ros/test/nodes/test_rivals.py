"""What the operator reads of others at the controller, from what the graph says of its publishers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rclpy.topic_endpoint_info import TopicEndpointInfo
from smolvla_ros.nodes.rivals import Rivals
from trajectory_msgs.msg import JointTrajectory

UNKNOWN = TopicEndpointInfo(node_name="_NODE_NAME_UNKNOWN_", node_namespace="_NODE_NAMESPACE_UNKNOWN_")
BARE = TopicEndpointInfo(node_name="_CREATED_BY_BARE_DDS_APP_", node_namespace="_CREATED_BY_BARE_DDS_APP_")


def publisher(name: str, namespace: str = "/") -> TopicEndpointInfo:
    return TopicEndpointInfo(node_name=name, node_namespace=namespace)


def names(*publishers: TopicEndpointInfo) -> str:
    """As read by /executor where these publish."""
    node = SimpleNamespace(
        create_subscription=lambda *_: None,
        get_publishers_info_by_topic=lambda _topic: list(publishers),
        get_fully_qualified_name=lambda: "/executor",
    )
    topic = SimpleNamespace(msg_type=JointTrajectory, topic_name="/joint_trajectory_controller/joint_trajectory")
    return Rivals(node, topic, lambda: None).names()


def test_an_executor_alone_has_no_rival() -> None:
    assert names(publisher("executor")) == ""


def test_others_are_told_by_full_name_a_second_of_the_own_name_too() -> None:
    others = publisher("teleop", "/left"), publisher("executor"), publisher("executor")
    assert names(*others) == "/executor, /left/teleop"


@pytest.mark.parametrize("nameless", [UNKNOWN, BARE])
def test_a_publisher_counts_before_its_name_is_known_and_no_placeholder_is_shown(nameless) -> None:
    assert names(publisher("executor"), nameless) == "a publisher of a node whose name is not known"
