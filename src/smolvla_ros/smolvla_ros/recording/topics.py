"""What of a robot is recorded."""

from __future__ import annotations

from dataclasses import dataclass

from smolvla_ros.embodiment import Embodiment

IMAGE_DEPTH, STATE_DEPTH, OTHER_DEPTH = 30, 100, 20
EXECUTOR_STATE = "executor/state"


@dataclass(frozen=True)
class RecordedTopic:
    """name: without namespace. required: an episode begins and goes on only while its messages are fresh.

    depth: messages that wait for the recorder. latched: the last one is written at the start of each episode.
    """

    name: str
    type: str
    required: bool = False
    depth: int = OTHER_DEPTH
    reliable: bool = True
    latched: bool = False


def recorded_topics(embodiment: Embodiment, image_transport: str) -> tuple[RecordedTopic, ...]:
    """Those of the embodiment file, what the arm was told, and what a policy's run can be judged and corrected by."""
    compressed = image_transport == "compressed"
    image_type = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
    images, infos = [], []
    for camera in embodiment.cameras:
        name = camera.topic.lstrip("/")
        topic = f"{name}/compressed" if compressed else name
        images.append(RecordedTopic(topic, image_type, required=True, depth=IMAGE_DEPTH, reliable=False))
        info = f"{name.rsplit('/', 1)[0]}/camera_info"
        infos.append(RecordedTopic(info, "sensor_msgs/msg/CameraInfo", depth=IMAGE_DEPTH, reliable=False))
    return (
        *images,
        RecordedTopic("joint_states", "sensor_msgs/msg/JointState", required=True, depth=STATE_DEPTH, reliable=False),
        *infos,
        RecordedTopic("joint_trajectory_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory"),
        RecordedTopic("forward_position_controller/commands", "std_msgs/msg/Float64MultiArray", depth=STATE_DEPTH),
        RecordedTopic("chunk_request", "smolvla_msgs/msg/ChunkRequest"),
        RecordedTopic("action_chunk", "smolvla_msgs/msg/ActionChunk"),
        RecordedTopic(EXECUTOR_STATE, "smolvla_msgs/msg/ExecutorState"),
        RecordedTopic("simulator/scene", "smolvla_msgs/msg/SceneState", depth=STATE_DEPTH, reliable=False),
        RecordedTopic("diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
        RecordedTopic("robot_description", "std_msgs/msg/String", latched=True),
    )
