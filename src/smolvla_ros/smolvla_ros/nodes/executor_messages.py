"""The executor's messages, from and to what its core speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from smolvla_msgs.msg import ActionChunk, ChunkRequest, ExecutorState
from smolvla_ros.execution.clock_offset import Exchange
from smolvla_ros.execution.exchange import ArrivedChunk, Request
from smolvla_ros.execution.executor import ChunkExecutor
from smolvla_ros.execution.mode import Mode
from smolvla_ros.nodes.conversions import (
    diagnostics_message,
    duration_message,
    rows_array,
    rows_message,
    seconds,
    time_message,
)

COUNTS = ("chunks_received", "chunks_refused", "rows_executed", "rows_late", "rows_clamped", "rows_refused")


def arrived_chunk(message: ActionChunk) -> ArrivedChunk:
    stamps = zip(message.camera_names, message.image_stamps, strict=False)
    inputs = {f"image {camera}": seconds(stamp) for camera, stamp in stamps}
    if inputs:
        inputs["joint states"] = seconds(message.joint_state_stamp)
    return ArrivedChunk(
        request_id=message.request_id,
        instruction=message.instruction,
        policy=message.policy,
        observation_s=seconds(message.observation_stamp),
        step_s=seconds(message.step),
        joint_names=message.joint_names,
        positions=rows_array(message.positions),
        input_stamps_s=inputs,
    )


def exchange_of(message: ActionChunk, arrived_s: float) -> Exchange | None:
    """What the chunk says of the clocks; None where its sender is none that tells them."""
    sent_s, received_s = seconds(message.request_stamp), seconds(message.request_received)
    return Exchange(sent_s, received_s, seconds(message.header.stamp), arrived_s) if sent_s and received_s else None


def request_message(request: Request, names: Sequence[str], stamp: Time) -> ChunkRequest:
    message = ChunkRequest(
        id=request.id,
        reason=int(request.reason),
        instruction=request.instruction,
        reset=request.reset,
        queued_rows=request.queued_rows,
        delay_rows=request.delay_rows,
        committed_start=time_message(request.committed_start_s),
        step=duration_message(request.step_s),
        joint_names=list(names),
        committed=rows_message(request.committed),
        expected_latency=request.expected_latency_s,
    )
    message.header.stamp = stamp
    return message


def state_message(core: ChunkExecutor, stamp: Time) -> ExecutorState:
    message = ExecutorState(
        mode=int(core.mode),
        reason=core.reason,
        instruction=core.instruction,
        policy=core.policy,
        queue_depth=len(core.timeline),
        horizon=core.horizon,
        queue_time=max(0.0, core.timeline.end_s - seconds(stamp)),
        threshold=core.gate.threshold,
        request_in_flight=core.gate.in_flight is not None,
        requests_sent=core.gate.sent,
        requests_timed_out=core.gate.timed_out,
        starved_time=core.counts.starved_s,
        task_time=core.task_time_s,
        latency_last=core.timing.latency.last_s,
        latency_p50=core.timing.latency.quantile_s(0.5),
        latency_p99=core.timing.latency.quantile_s(0.99),
        clock_offset=core.policy_clock.offset_s,
        clock_offset_error=core.policy_clock.error_s,
        network_time=core.policy_clock.network_s,
        **{name: getattr(core.counts, name) for name in COUNTS},
    )
    message.header.stamp = stamp
    return message


def diagnostics(core: ChunkExecutor, own_delay_s: float, stamp: Time) -> DiagnosticArray:
    """How the executor is, why, and what it has counted, each kind of refusal and of clamp for itself.

    own_delay_s: what few chunks take longer than from being handed to the node to their trajectory published.
    """
    if core.mode in (Mode.FAULT, Mode.EMERGENCY_STOP):
        level = DiagnosticStatus.ERROR
    else:
        warned = core.warning or core.mode in (Mode.STARVED, Mode.PAUSED)
        level = DiagnosticStatus.WARN if warned else DiagnosticStatus.OK
    counts = core.counts
    kinds = {
        f"{title}: {kind}": count
        for title, counter in (("refused", counts.refusals), ("clamped", counts.clamps))
        for kind, count in counter.items()
    }
    values = {
        "mode": core.mode.name.lower(),
        "queue": len(core.timeline),
        **{name: getattr(counts, name) for name in COUNTS},
        "starved_s": f"{counts.starved_s:.2f}",
        **kinds,
        "requests_timed_out": core.gate.timed_out,
        "goals_refused": core.goals_refused,
        "foreign_trajectories": core.foreign_trajectories,
        "clock_jumps": core.clock_jumps,
        "own_delay_p99_s": f"{own_delay_s:.6f}",
        "clock_offset_s": f"{core.policy_clock.offset_s:.6f}",
        "clock_offset_error_s": f"{core.policy_clock.error_s:.6f}",
        "network_s": f"{core.policy_clock.network_s:.6f}",
    }
    return diagnostics_message(stamp, "executor", level, core.reason or core.warning or "executing chunks", values)
