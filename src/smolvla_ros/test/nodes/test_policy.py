from __future__ import annotations

import re
import time

import cv2
import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from smolvla_ros.cli import main as smolvla
from smolvla_ros.embodiment import DEFAULT_FILE, load_embodiment
from smolvla_ros.execution.clock_offset import ClockOffset, Exchange
from smolvla_ros.nodes.conversions import seconds, time_message

from smolvla_msgs.msg import ActionChunk, ChunkRequest, SceneState

ROBOT = load_embodiment()


class Client:
    """Publishes what the policy observes, sends requests, keeps the answers. `robot`: namespace with a slash."""

    def __init__(self, graph, robot: str = "") -> None:
        self.graph, self.robot = graph, robot
        node = graph.node
        self.images = {
            c.name: node.create_publisher(Image, robot + c.topic, qos_profile_sensor_data) for c in ROBOT.cameras
        }
        self.compressed = {
            c.name: node.create_publisher(CompressedImage, f"{robot}{c.topic}/compressed", qos_profile_sensor_data)
            for c in ROBOT.cameras
        }
        self.joint_states = node.create_publisher(JointState, f"{robot}/joint_states", qos_profile_sensor_data)
        self.scene = node.create_publisher(SceneState, f"{robot}/simulator/scene", qos_profile_sensor_data)
        self.requests = node.create_publisher(ChunkRequest, f"{robot}/chunk_request", 5)
        self.chunks: list[ActionChunk] = []
        node.create_subscription(ActionChunk, f"{robot}/action_chunk", self.chunks.append, 5)

    def ready(self) -> None:
        self.graph.wait(
            lambda: (
                self.requests.get_subscription_count()
                and self.graph.node.count_publishers(f"{self.robot}/action_chunk")
            )
        )
        self.graph.wait(lambda: self.joint_states.get_subscription_count())

    def observe(
        self, cameras=("top", "wrist"), age_s: float = 0.0, names=ROBOT.joint_names, positions=ROBOT.home_rad
    ) -> None:
        stamp = time_message(time.time() - age_s)
        state = JointState(name=list(names), position=list(positions))
        state.header.stamp = stamp
        self.joint_states.publish(state)
        for camera in cameras:
            image = Image(height=480, width=640, encoding="rgb8", step=1920, data=bytes(480 * 1920))
            image.header.stamp = stamp
            self.images[camera].publish(image)

    def observe_compressed(self, data: bytes) -> None:
        self.observe(cameras=())
        for publisher in self.compressed.values():
            image = CompressedImage(format="jpeg", data=data)
            image.header.stamp = time_message(time.time())
            publisher.publish(image)

    def request(self, request_id: int, instruction: str = "put the red cube in the blue box") -> None:
        message = ChunkRequest(id=request_id, instruction=instruction)
        message.header.stamp = time_message(time.time())
        self.requests.publish(message)

    def ask(self, observe, instruction: str = "put the red cube in the blue box") -> ActionChunk:
        """Observes and asks until an answer comes (best-effort topics may lose the first messages)."""
        number = len(self.chunks)
        request_id = 100 * (number + 1)

        def answered() -> ActionChunk | None:
            nonlocal request_id
            observe()
            self.graph._executor.spin_once(timeout_sec=0.05)
            request_id += 1
            self.request(request_id, instruction)
            return self.chunks[-1] if len(self.chunks) > number else None

        return self.graph.wait(answered)

    def ask_until(self, observe, status: int, words: str = "") -> ActionChunk:
        for _ in range(100):
            chunk = self.ask(observe)
            if chunk.status == status and words in chunk.message:
                return chunk
        raise AssertionError(f"the last answer was {chunk.status}: {chunk.message}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    assert smolvla(["checkpoint", "init", str(folder)]) == 0
    return folder


def test_a_checkpoint_answers_with_a_chunk_for_the_observations_time(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint))
    client = Client(graph)
    client.ready()
    chunk = client.ask_until(client.observe, ActionChunk.STATUS_OK)
    assert (chunk.policy, chunk.instruction) == ("tiny", "put the red cube in the blue box")
    assert list(chunk.joint_names) == list(ROBOT.joint_names)
    rows = np.array([row.positions for row in chunk.positions])
    assert rows.shape == (50, 6)
    assert np.isfinite(rows).all()
    assert seconds(chunk.step) == pytest.approx(1 / 30, abs=1e-6)
    assert list(chunk.camera_names) == ["top", "wrist"]
    assert chunk.observation_stamp == min(
        [chunk.joint_state_stamp, *chunk.image_stamps], key=lambda stamp: (stamp.sec, stamp.nanosec)
    )
    assert chunk.latency.total >= chunk.latency.encode > 0


def test_a_missing_camera_a_stale_arm_and_foreign_joints_are_told_by_topic(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint), image_max_age=2.0, joint_state_max_age=2.0)
    client = Client(graph)
    client.ready()
    failed = ActionChunk.STATUS_FAILED
    chunk = client.ask_until(lambda: client.observe(cameras=("top",)), failed, "wrist")
    assert chunk.message == "/wrist/image_raw: nothing has come on it; is its publisher running?"
    assert not chunk.positions
    client.ask_until(client.observe, ActionChunk.STATUS_OK)
    chunk = client.ask_until(lambda: client.observe(age_s=60.0), failed, "joint_states")
    assert "expected a message of the last 2 s, the newest is 60" in chunk.message
    chunk = client.ask_until(lambda: client.observe(names=("a", "b", "c", "d", "e", "f")), failed, "found a, b")
    assert "expected joints shoulder_pan" in chunk.message
    client.ask_until(client.observe, ActionChunk.STATUS_OK)


def test_compressed_images_are_taken_and_broken_ones_told_by_topic(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint), image_transport="compressed")
    client = Client(graph)
    client.ready()
    jpeg = cv2.imencode(".jpg", np.zeros((480, 640, 3), dtype=np.uint8))[1].tobytes()
    client.ask_until(lambda: client.observe_compressed(jpeg), ActionChunk.STATUS_OK)
    chunk = client.ask_until(lambda: client.observe_compressed(b"noise"), ActionChunk.STATUS_FAILED, "JPEG")
    topic, _, told = chunk.message.partition(": ")
    assert topic in ("/top/image_raw/compressed", "/wrist/image_raw/compressed")
    assert told == "expected a JPEG or PNG, found 5 bytes of 'jpeg'"
    client.ask_until(lambda: client.observe_compressed(jpeg), ActionChunk.STATUS_OK)


def test_a_publisher_that_repeats_nothing_is_told_to_a_policy_that_asks_for_it(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint), image_reliability="reliable")
    client = Client(graph)
    client.ready()
    chunk = client.ask_until(client.observe, ActionChunk.STATUS_FAILED, "image_reliability")
    assert chunk.message.startswith("/top/image_raw: expected a publisher that sends lost parts again")


def test_joint_states_that_are_no_numbers_are_no_observation(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint))
    client = Client(graph)
    client.ready()
    nan = [float("nan")] * 6
    client.ask_until(lambda: client.observe(positions=nan), ActionChunk.STATUS_FAILED, "expected numbers, found [nan")


def test_of_requests_that_wait_the_newest_is_answered(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint), image_max_age=60.0, joint_state_max_age=60.0)
    client = Client(graph)
    client.ready()
    client.ask_until(client.observe, ActionChunk.STATUS_OK)
    for request_id in range(9001, 9006):
        client.request(request_id)
    graph.wait(lambda: client.chunks[-1].request_id == 9005)
    answered = [chunk.request_id for chunk in client.chunks]
    assert answered == sorted(answered)
    assert [chunk.id for chunk in client.chunks] == list(range(client.chunks[0].id, client.chunks[-1].id + 1))


def test_a_request_without_a_stamp_is_told_what_it_lacks(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint))
    client = Client(graph)
    client.ready()
    client.ask_until(client.observe, ActionChunk.STATUS_OK)
    client.requests.publish(ChunkRequest(id=9001, instruction="go home"))
    graph.wait(lambda: client.chunks[-1].request_id == 9001)
    assert "expected an id above 0 and a stamp of the robot's clock" in client.chunks[-1].message


def test_a_clock_that_is_seconds_off_makes_no_observation_stale_or_fresh(graph, checkpoint) -> None:
    """The policy's machine is 7 s ahead: its node takes the time from /clock, everybody else from the host."""
    clock = graph.node.create_publisher(Clock, "clock", 1)
    graph.node.create_timer(0.02, lambda: clock.publish(Clock(clock=time_message(time.time() + 7.0))))
    graph.start("policy", policy=str(checkpoint), use_sim_time=True)
    client = Client(graph)
    client.ready()
    client.ask_until(client.observe, ActionChunk.STATUS_OK)  # this request may have come before the first /clock
    chunk = client.ask_until(client.observe, ActionChunk.STATUS_OK)
    arrived_s = time.time()
    assert seconds(chunk.observation_stamp) < seconds(chunk.request_stamp) + 1.0
    assert 0.0 <= chunk.latency.observation_age < 0.5
    offset = ClockOffset()
    stamps = (chunk.request_stamp, chunk.request_received, chunk.header.stamp)
    assert offset.add(Exchange(*map(seconds, stamps), arrived_s))
    assert offset.offset_s == pytest.approx(7.0, abs=0.3)
    stale = client.ask_until(lambda: client.observe(age_s=7.0), ActionChunk.STATUS_FAILED)
    assert "the newest is 7" in stale.message


def test_stamps_ahead_of_the_robot_s_clock_are_told_with_the_remedy(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint))
    client = Client(graph)
    client.ready()

    def camera_s_clock_is_ahead() -> None:
        client.observe(age_s=-5.0)
        client.observe(cameras=())

    told = client.ask_until(camera_s_clock_is_ahead, ActionChunk.STATUS_FAILED, "ahead of it")
    assert re.match(r"/top/image_raw: expected a stamp of the executor's clock, found one [45]\.", told.message)
    assert "chrony" in told.message


def test_several_robots_are_served_and_one_s_trouble_is_its_own(graph, checkpoint) -> None:
    graph.start("policy", policy=str(checkpoint), robots=["left", "right"])
    left, right = Client(graph, "/left"), Client(graph, "/right")
    diagnostics: list[DiagnosticArray] = []
    graph.node.create_subscription(DiagnosticArray, "diagnostics", diagnostics.append, 1)
    left.ready()
    right.ready()
    left.ask_until(left.observe, ActionChunk.STATUS_OK)
    right.ask_until(right.observe, ActionChunk.STATUS_OK)

    def ask_both() -> tuple[ActionChunk, ActionChunk]:
        counts = len(left.chunks), len(right.chunks)

        def answered() -> bool:
            left.observe()
            right.observe(names=("a", "b", "c", "d", "e", "f"))
            left.request(9000 + counts[0])
            right.request(9000 + counts[1], "go home")
            graph._executor.spin_once(timeout_sec=0.05)
            return len(left.chunks) > counts[0] and len(right.chunks) > counts[1]

        graph.wait(answered)
        return left.chunks[-1], right.chunks[-1]

    graph.wait(lambda: ask_both()[1].status == ActionChunk.STATUS_FAILED)
    of_left, of_right = ask_both()
    assert of_left.status == ActionChunk.STATUS_OK
    assert of_left.instruction == "put the red cube in the blue box"
    assert of_right.status == ActionChunk.STATUS_FAILED
    assert of_right.message.startswith("/right/joint_states: expected joints")
    told = graph.wait(lambda: next((each for each in diagnostics if each.status[1].message != "ready"), None))
    assert [status.name for status in told.status] == ["policy left", "policy right"]
    assert told.status[0].message == "ready"
    batches = {pair.key: int(pair.value) for pair in told.status[0].values if pair.key == "largest_batch"}
    assert batches["largest_batch"] <= 2


def test_the_scripted_policy_refuses_what_it_does_not_understand(graph) -> None:
    graph.start("policy", policy="scripted")
    client = Client(graph)
    client.ready()

    def observe() -> None:
        client.observe()
        scene = SceneState()
        scene.header.stamp = time_message(time.time())
        client.scene.publish(scene)

    for _ in range(100):
        chunk = client.ask(observe, "fold the towel")
        if chunk.status == ActionChunk.STATUS_REFUSED:
            break
    assert chunk.status == ActionChunk.STATUS_REFUSED
    assert "'put the red cube in the blue box'" in chunk.message
    assert graph.stop("policy") == 0


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"policy": "no/such/folder"}, "expected 'scripted'"),
        ({"embodiment": "/nowhere.yaml"}, "/nowhere.yaml"),
        ({"image_transport": "pigeon"}, "expected raw or compressed, found 'pigeon'"),
        ({"image_max_age": -1.0}, "image_max_age"),
        ({"robots": ["left", "left"]}, "robots: expected namespaces, each once"),
        ({"robots": ["le-ft"]}, "robots: expected names of letters, digits and _, found 'le-ft'"),
        (
            {"robots": ["left", "right"], "embodiments": ["/a.yaml"]},
            "expected 2 files, one for each of robots, found 1",
        ),
    ],
)
def test_a_wrong_parameter_ends_the_node_with_one_line(graph, parameters: dict, told: str) -> None:
    assert graph.start("policy", **parameters).wait(30) == 2
    assert told in graph.log("policy")
    assert "Traceback" not in graph.log("policy")


def test_a_checkpoint_of_another_robot_ends_the_node_with_the_field_and_the_remedy(graph) -> None:
    raw = yaml.safe_load(DEFAULT_FILE.read_text())
    raw["cameras"][1] |= {"name": "side", "topic": "/side/image_raw", "feature": "observation.images.side"}
    another_robot = graph.folder / "robot.yaml"
    another_robot.write_text(yaml.safe_dump(raw))
    folder = graph.folder / "checkpoint"
    assert smolvla(["checkpoint", "init", str(folder), "--embodiment", str(another_robot)]) == 0
    assert graph.start("policy", policy=str(folder)).wait(60) == 2
    assert "observation.images.side" in graph.log("policy")
    assert "Traceback" not in graph.log("policy")
