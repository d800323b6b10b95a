"""The recorder as a process, before cameras that publish in this one."""

from __future__ import annotations

import array
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from smolvla_ros.bags.errors import BagCut
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.bags.repair import repair_bag
from smolvla_ros.embodiment import load_embodiment
from std_msgs.msg import String
from std_srvs.srv import Trigger

from smolvla_msgs.action import RecordEpisode
from smolvla_msgs.msg import ExecutorState
from smolvla_msgs.srv import LabelEpisode

ROBOT = load_embodiment()
RATE_HZ = 30


class Cameras:
    """Both cameras and the joint states, each with sensor QoS; image k has the value k."""

    def __init__(self, graph: Any) -> None:
        self._graph, self.published, self.silent = graph, 0, ""
        node = graph.node
        self._images = {
            camera.name: node.create_publisher(Image, camera.topic, qos_profile_sensor_data) for camera in ROBOT.cameras
        }
        self._joints = node.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self._state = node.create_publisher(ExecutorState, "executor/state", QoSProfile(depth=1))
        self.mode, self.notes = ExecutorState.MODE_IDLE, list[dict[str, Any]]()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(String, "recorder/episode", self._on_notes, latched)
        self._timer = node.create_timer(1 / RATE_HZ, self._publish)

    def _on_notes(self, message: String) -> None:
        self.notes.append(yaml.safe_load(message.data))

    def _publish(self) -> None:
        stamp = self._graph.node.get_clock().now().to_msg()
        joints = JointState(name=list(ROBOT.joint_names), position=ROBOT.home_rad.tolist())
        joints.header.stamp = stamp
        self._joints.publish(joints)
        for name, publisher in self._images.items():
            if name == self.silent:
                continue
            pixels = np.full((48, 64, 3), self.published % 256, np.uint8)
            image = Image(height=48, width=64, encoding="rgb8", step=192, data=array.array("B", pixels.tobytes()))
            image.header.stamp = stamp
            publisher.publish(image)
        self._state.publish(ExecutorState(mode=self.mode, instruction="stack the cubes", policy="scripted"))
        self.published += 1

    def wait_until_heard(self) -> None:
        """The recorder has found all of it."""
        publishers = [*self._images.values(), self._joints, self._state]
        self._graph.wait(lambda: all(publisher.get_subscription_count() for publisher in publishers))
        self.wait_for(20)

    def wait_for(self, more: int) -> None:
        until = self.published + more
        self._graph.wait(lambda: self.published >= until)


@pytest.fixture
def cameras(graph: Any) -> Cameras:
    graph.start("recorder", autostart=True, folder=str(graph.folder / "bags"), min_free=0.01)
    cameras = Cameras(graph)
    cameras.wait_until_heard()
    return cameras


def trigger(graph: Any, name: str) -> Trigger.Response:
    return graph.call(Trigger, f"recorder/{name}", Trigger.Request())


def bags(graph: Any) -> list[Path]:
    return sorted((graph.folder / "bags").glob("episode_*"))


def values(bag_path: Path, camera: str) -> list[int]:
    with open_bag(bag_path) as bag:
        return [int(bag.unpack(t, data).data[0]) for t, _, data in bag.messages([f"/{camera}/image_raw"])]


def started(graph: Any, cameras: Cameras) -> None:
    graph.wait(lambda: trigger(graph, "start").success)


def test_services_start_stop_label_rerecord_and_discard(graph: Any, cameras: Cameras) -> None:
    assert "expected an episode under way" in trigger(graph, "stop").message
    started(graph, cameras)
    cameras.wait_for(15)
    kept = trigger(graph, "stop")
    assert kept.success, kept.message
    assert ", 0 lost" in kept.message
    labelled = graph.call(
        LabelEpisode, "recorder/label_episode", LabelEpisode.Request(episode_succeeded=True, note="ok")
    )
    assert labelled.message.endswith("succeeded")
    (bag_path,) = bags(graph)
    for camera in ("top", "wrist"):
        found = values(bag_path, camera)
        assert len(found) > 10
        assert np.diff(found).tolist() == [1] * (len(found) - 1)
    with open_bag(bag_path) as bag:
        assert bag.notes is not None
        assert (bag.notes.instruction, bag.notes.succeeded, bag.notes.note) == ("stack the cubes", True, "ok")
        assert bag.notes.embodiment == ROBOT.path.read_text()
    graph.wait(lambda: cameras.notes and cameras.notes[-1]["success"] == "true")
    cameras.wait_for(3)
    assert trigger(graph, "rerecord").message == "recording: stack the cubes"
    assert len(bags(graph)) == 1
    assert bags(graph) != [bag_path] or not (bag_path / "metadata.yaml").exists()
    assert trigger(graph, "discard").message == "discarded"
    assert bags(graph) == []


def test_killed_in_the_middle_it_leaves_all_but_the_last_second(graph: Any, cameras: Cameras) -> None:
    started(graph, cameras)
    cameras.wait_for(45)
    graph.stop("recorder", signal.SIGKILL)
    last = cameras.published - 1
    (bag_path,) = bags(graph)
    with pytest.raises(BagCut, match="repair-bag"):
        open_bag(bag_path)
    repair_bag(bag_path)
    for camera in ("top", "wrist"):
        found = values(bag_path, camera)
        assert np.diff(found).tolist() == [1] * (len(found) - 1)
        assert found[-1] >= last - RATE_HZ
    with open_bag(bag_path) as bag:
        assert bag.notes is not None
        assert bag.notes.instruction == "stack the cubes"


def test_the_action_names_the_topic_that_is_not_fresh_and_ends_by_its_time_limit(graph: Any, cameras: Cameras) -> None:
    client = ActionClient(graph.node, RecordEpisode, "recorder/record_episode")
    graph.wait(client.server_is_ready)
    cameras.silent = "wrist"
    cameras.wait_for(20)
    result = record(graph, client, RecordEpisode.Goal(instruction="lift"))
    assert result.reason == RecordEpisode.Result.REASON_STALE_TOPIC
    assert "/wrist/image_raw: the newest is" in result.message
    assert "/top/image_raw" not in result.message
    assert bags(graph) == []
    cameras.silent = ""
    cameras.wait_for(3)
    goal = RecordEpisode.Goal(instruction="lift", note="by hand")
    goal.time_limit.nanosec = 600_000_000
    result = record(graph, client, goal)
    assert result.reason == RecordEpisode.Result.REASON_TIME_LIMIT, result.message
    assert Path(result.bag_path) == bags(graph)[0]
    assert result.dropped == 0
    assert result.messages > 40
    client.destroy()


def record(graph: Any, client: ActionClient, goal: RecordEpisode.Goal) -> RecordEpisode.Result:
    sent = client.send_goal_async(goal)
    graph.wait(sent.done)
    ended = sent.result().get_result_async()
    graph.wait(ended.done)
    return ended.result().result


def test_by_itself_it_records_what_the_executor_does(graph: Any) -> None:
    graph.start("recorder", autostart=True, folder=str(graph.folder / "bags"), min_free=0.01, automatic=True)
    cameras = Cameras(graph)
    cameras.wait_until_heard()
    cameras.mode = ExecutorState.MODE_RUNNING
    graph.wait(lambda: bags(graph))
    cameras.wait_for(10)
    cameras.mode = ExecutorState.MODE_IDLE
    graph.wait(lambda: (bags(graph)[0] / "metadata.yaml").exists())
    with open_bag(bags(graph)[0]) as bag:
        assert bag.notes is not None
        assert bag.notes.instruction == "stack the cubes"
        modes = [bag.unpack(t, data).mode for t, _, data in bag.messages(["/executor/state"])]
    assert modes[0] == ExecutorState.MODE_IDLE  # what came just before the task is there too
    assert ExecutorState.MODE_RUNNING in modes


def test_a_topic_that_comes_a_little_after_the_task_has_begun_costs_no_episode(graph: Any) -> None:
    graph.start("recorder", autostart=True, folder=str(graph.folder / "bags"), min_free=0.01, automatic=True)
    cameras = Cameras(graph)
    cameras.silent = ROBOT.cameras[0].name
    cameras.wait_until_heard()
    cameras.mode = ExecutorState.MODE_RUNNING
    cameras.wait_for(1)
    cameras.silent = ""
    graph.wait(lambda: bags(graph))
