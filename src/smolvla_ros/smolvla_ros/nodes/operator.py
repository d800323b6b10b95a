"""The operator's side of the graph: sends the instruction, listens to what happens, asks the simulator for its word."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger

from smolvla_msgs.action import RecordEpisode, RunTask
from smolvla_msgs.msg import ActionChunk, ExecutorState, SceneState
from smolvla_msgs.srv import EvaluateTask, FinishTask, LabelEpisode, ResetScene
from smolvla_ros.embodiment import Embodiment
from smolvla_ros.nodes.conversions import duration_message, joint_positions, object_poses, rows_array, seconds
from smolvla_ros.runtime.errors import OperatorError
from smolvla_ros.runtime.interrupt import uninterrupted
from smolvla_ros.runtime.recording import RETREAT_S, QueueSample, RecordedChunk, Recording, TaskOutcome

JUDGE_PERIOD_S = 0.25
RECORDER = "recorder"


def _constant_names(message_type: Any, prefix: str) -> dict[int, str]:
    """Values of an interface's constants to their names in words."""
    names = [name for name in dir(message_type) if name.startswith(prefix)]
    return {getattr(message_type, name): name.removeprefix(prefix).lower().replace("_", " ") for name in names}


MODES = _constant_names(ExecutorState, "MODE_")
REASONS = _constant_names(RunTask.Result, "REASON_")


def join_graph(embodiment: Embodiment, namespace: str = "", use_sim_time: bool = False) -> Operator:
    """The operator of this process. Ctrl-C stays with the caller; `leave` undoes this."""
    rclpy.init(args=[], signal_handler_options=rclpy.SignalHandlerOptions.NO)
    return Operator(embodiment, namespace, use_sim_time)


class Operator(Node):
    """Spun by its caller's thread alone, inside the methods that wait; everything it hears goes into `recording`."""

    def __init__(self, embodiment: Embodiment, namespace: str = "", use_sim_time: bool = False) -> None:
        clock = RosParameter("use_sim_time", value=use_sim_time)
        super().__init__("smolvla_run", namespace=namespace, parameter_overrides=[clock])
        self.recording = Recording(embodiment.wire_names)
        self.state: ExecutorState | None = None
        self.scene: SceneState | None = None
        self.in_vain: Callable[[], bool] = lambda: False  # whether to wait no longer for an answer
        self._word = ""
        self._recorder = "no /diagnostics of it"
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self.create_subscription(JointState, "joint_states", self._on_joint_state, qos_profile_sensor_data)
        self.create_subscription(ActionChunk, "action_chunk", self._on_chunk, QoSProfile(depth=5))
        self.create_subscription(ExecutorState, "executor/state", self._on_state, QoSProfile(depth=10))
        self.create_subscription(SceneState, "simulator/scene", self._on_scene, qos_profile_sensor_data)
        self.create_subscription(DiagnosticArray, "diagnostics", self._on_diagnostics, QoSProfile(depth=10))
        self._images = [
            self.create_subscription(Image, camera.topic.lstrip("/"), self._on_image, qos_profile_sensor_data)
            for camera in embodiment.cameras
        ]
        self._run_task = ActionClient(self, RunTask, "executor/run_task")
        self._record = ActionClient(self, RecordEpisode, "recorder/record_episode")
        self._stop_recording = self.create_client(Trigger, "recorder/stop")
        self._label = self.create_client(LabelEpisode, "recorder/label_episode")
        self._recorded: Any = None
        self._finish = self.create_client(FinishTask, "executor/finish_task")
        self._reset = self.create_client(ResetScene, "simulator/reset")
        self._evaluate = self.create_client(EvaluateTask, "simulator/evaluate_task")

    def leave(self) -> None:
        self.destroy_node()
        rclpy.try_shutdown()

    def now_s(self) -> float:
        """The clock that the recording's stamps are of."""
        return seconds(self.get_clock().now().to_msg())

    def listen(self, duration_s: float = 0.05) -> None:
        """Takes in what arrives for so long."""
        end = time.monotonic() + duration_s
        while (left := end - time.monotonic()) > 0:
            with uninterrupted():
                self._executor.spin_once(timeout_sec=left)

    def other_nodes(self, names: tuple[str, ...]) -> list[str]:
        """Those of `names` that are on this ROS domain already."""
        return sorted(set(self.get_node_names()) & set(names))

    def missing(self, simulated: bool, has_executor: bool = True, recorded: bool = False) -> list[str]:
        """What a task needs and is not there yet, in the operator's words. recorded: it begins an episode as well."""
        parts = []
        if simulated and self.scene is None:
            parts.append("simulator (no /simulator/scene)")
        if not self.recording.joint_stamps_s:
            parts.append("driver (no /joint_states)")
        if has_executor and not self.count_subscribers("chunk_request"):
            parts.append("policy (nobody takes /chunk_request)")
        if has_executor and (self.state is None or not self._run_task.server_is_ready()):
            parts.append("executor (no /executor/state or /executor/run_task)")
        if recorded and self._recorder:
            parts.append(f"recorder ({self._recorder})")
        return parts

    def new_recording(self) -> Recording:
        """Begins a fresh recording and returns it."""
        self.recording = Recording(self.recording.joint_names)
        return self.recording

    def reset_scene(self, seed: int, task: str = "") -> list[str]:
        """A seeded scene of a task, pick_and_place by default; returns its instructions. Raises OperatorError."""
        request = ResetScene.Request(seed=seed, task=task)
        answer = self._call(self._reset, request, "/simulator/reset", timeout_s=20.0)
        if not answer.success:
            raise OperatorError(f"/simulator/reset: {answer.message}")
        self.scene = None
        return list(answer.instructions)

    def evaluate(self, instruction: str) -> EvaluateTask.Response:
        """The simulator's judgement."""
        return self._call(self._evaluate, EvaluateTask.Request(instruction=instruction), "/simulator/evaluate_task")

    def run_task(
        self, instruction: str, time_limit_s: float, judged: bool, on_progress: Callable[[ExecutorState | None], bool]
    ) -> TaskOutcome:
        """One RunTask goal from start to end. `on_progress` is called often; False from it cancels the goal."""
        goal = RunTask.Goal(instruction=instruction, time_limit=duration_message(time_limit_s))
        handle = self._wait(self._run_task.send_goal_async(goal), 10.0, "/executor/run_task")
        if not handle.accepted:
            raise OperatorError("/executor/run_task refused the goal: see the executor's log")
        result_future = handle.get_result_async()
        started = last_judged = time.monotonic()
        done_s: float | None = None
        done: bool | None = None
        ended = False
        while not result_future.done():
            self.listen()
            if not ended and not on_progress(self.state):
                handle.cancel_goal_async()
                ended = True
            now = time.monotonic()
            if judged and now - last_judged > JUDGE_PERIOD_S:
                last_judged = now
                done = self._judge(instruction)
                done_s = (done_s or now - started) if done else None
            if done_s is not None and now - started > done_s + RETREAT_S and not ended:
                self._finish.call_async(FinishTask.Request(task_succeeded=True, note=self._word))
                ended = True
            if time.monotonic() - started > time_limit_s + 15.0:
                raise OperatorError("/executor/run_task gave no result in time: see the executor's log")
        result = result_future.result().result
        if judged:
            done = self._judge(instruction)
        return TaskOutcome(
            instruction=instruction,
            reason=REASONS[result.reason],
            message=result.message,
            judged=done,
            duration_s=done_s if done and done_s is not None else result.duration,
            starved_s=result.starved_time,
            chunks=result.chunks,
            rows_executed=result.rows_executed,
        )

    def stop_listening_to_images(self) -> None:
        """Once the graph is up: they cost more than all else that is heard here."""
        for subscription in self._images:
            self.destroy_subscription(subscription)

    def begin_recording(self, instruction: str) -> None:
        """Raises OperatorError."""
        name = "/recorder/record_episode"
        if not self._record.wait_for_server(10.0):
            raise OperatorError(f"{name} is not there: start the graph with record:=true")
        handle = self._wait(self._record.send_goal_async(RecordEpisode.Goal(instruction=instruction)), 10.0, name)
        if not handle.accepted:
            raise OperatorError(f"{name} refused the goal: see the recorder's log")
        self._recorded = handle.get_result_async()

    def end_recording(self) -> RecordEpisode.Result:
        """Raises OperatorError."""
        self._wait(self._stop_recording.call_async(Trigger.Request()), 60.0, "/recorder/stop")
        result = self._wait(self._recorded, 10.0, "/recorder/record_episode").result
        if not result.bag_path:
            raise OperatorError(f"/recorder/record_episode: {result.message}")
        return result

    def tell_recorder(self, word: str) -> str:
        """start, stop, discard or rerecord; what it answers. Raises OperatorError with its reason not to."""
        client = self.create_client(Trigger, f"recorder/{word}")
        try:
            answer = self._call(client, Trigger.Request(), f"/recorder/{word}", timeout_s=60.0)
        finally:
            self.destroy_client(client)
        if not answer.success:
            raise OperatorError(str(answer.message))
        return str(answer.message)

    def label_episode(self, succeeded: bool, note: str) -> str:
        """What the recorder says. Raises OperatorError, also where there is no episode."""
        request = LabelEpisode.Request(episode_succeeded=succeeded, note=note)
        answer = self._wait(self._label.call_async(request), 10.0, "/recorder/label_episode")
        if not answer.success:
            raise OperatorError(str(answer.message))
        return str(answer.message)

    def _judge(self, instruction: str) -> bool | None:
        try:
            word = self.evaluate(instruction)
        except OperatorError:
            return None
        self._word = word.message
        return bool(word.done) if word.understood else None

    def _call(self, client: Any, request: Any, name: str, timeout_s: float = 5.0) -> Any:
        self._until(client.service_is_ready, timeout_s, f"no service {name}")
        return self._wait(client.call_async(request), timeout_s, name)

    def _wait(self, future: Any, timeout_s: float, name: str) -> Any:
        self._until(future.done, timeout_s, f"{name} did not answer within {timeout_s:g} s")
        return future.result()

    def _until(self, condition: Callable[[], bool], timeout_s: float, complaint: str) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end or self.in_vain():
                raise OperatorError(complaint)
            self.listen(0.02)

    def _on_joint_state(self, message: JointState) -> None:
        positions = joint_positions(message, self.recording.joint_names)
        if positions is not None:
            self.recording.joint_stamps_s.append(seconds(message.header.stamp))
            self.recording.joint_positions.append(positions)

    def _on_image(self, _message: Image) -> None:
        self.recording.images += 1

    def _on_chunk(self, message: ActionChunk) -> None:
        if message.status != ActionChunk.STATUS_OK:
            return
        self.recording.policy = message.policy
        self.recording.chunks.append(
            RecordedChunk(
                seconds(message.observation_stamp),
                self.now_s(),
                seconds(message.step),
                rows_array(message.positions),
                message.latency.total,
            )
        )

    def _on_state(self, message: ExecutorState) -> None:
        self.state = message
        self.recording.queue.append(
            QueueSample(
                seconds(message.header.stamp),
                mode_name(message),
                message.queue_depth,
                message.queue_time,
                message.threshold * message.horizon,
            )
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == RECORDER:
                self._recorder = "" if status.level == DiagnosticStatus.OK else status.message

    def _on_scene(self, message: SceneState) -> None:
        self.scene = message
        self.recording.scene_seed = message.seed
        self.recording.real_time_factors.append(message.real_time_factor)
        self.recording.object_stamps_s.append(seconds(message.header.stamp))
        for name, pose in object_poses(message).items():
            row = np.concatenate([pose.position, pose.quaternion])
            self.recording.object_poses.setdefault(name, []).append(row)


def mode_name(state: ExecutorState) -> str:
    """ExecutorState.mode in words."""
    return MODES.get(state.mode, str(state.mode))
