"""SmolVLA as a policy: camera frames, radians and words in, a chunk of radians out.

The model, its files and its numbers are in smolvla_ros.model; here is only the border to the robot.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.engines.choice import REFERENCE, choose
from smolvla_ros.engines.errors import AUTO
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS, ModelInputs, joined, model_inputs
from smolvla_ros.model.letterbox import frame_to_tensor
from smolvla_ros.model.real_time_chunking import Guidance
from smolvla_ros.policies.embodiment_fit import check_joints, check_statistics, fit_cameras
from smolvla_ros.policies.frame_memory import FrameMemory
from smolvla_ros.policies.interface import Chunk, EmbodimentMismatch, Observation, PolicyRefusal
from smolvla_ros.policies.real_time_chunking import guidance_of
from smolvla_ros.policies.sampler_settings import DEFAULT, SamplerSettings
from smolvla_ros.units import LeRobotUnits


class SmolVLAPolicy:
    """A checkpoint that fits a robot. State, set back by `reset`: the noise's generator, the last frames.

    `engine` names what computes: "torch" for a checkpoint as it is, the engine that `from_checkpoint` prepared it for.
    """

    name = "smolvla"
    needs_objects = False
    engine = REFERENCE.name

    def __init__(
        self,
        checkpoint: Checkpoint,
        embodiment: Embodiment,
        device: str = "cpu",
        sampler: SamplerSettings = DEFAULT,
        rename_map: Mapping[str, str] | None = None,
    ) -> None:
        """Raises EmbodimentMismatch. `rename_map`: a robot's camera feature -> the checkpoint's."""
        self._rename_map = rename_map or {}
        features = fit_cameras(checkpoint, embodiment, self._rename_map)
        check_joints(checkpoint, embodiment)
        check_statistics(checkpoint, embodiment)
        if sampler.real_time_chunking == "trained" and not checkpoint.config.rtc_training_max_delay:
            raise EmbodimentMismatch(
                "real_time_chunking: expected off or guided, found trained; the checkpoint's rtc_training_max_delay is "
                "0: train one with it, or use guided"
            )
        self.checkpoint = checkpoint
        self.cameras = tuple(features.values())
        self.num_steps = sampler.num_steps or checkpoint.config.num_steps
        scale = sampler.noise_scale
        self._noise_scale = scale if scale >= 0 else checkpoint.noise_scale
        self._features, self._joints = features, len(embodiment.joints)
        self._step_s = 1.0 / embodiment.rates.policy_hz
        self._units, self._device, self._sampler = LeRobotUnits(embodiment), torch.device(device), sampler
        self.reset()

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        embodiment: Embodiment,
        device: str = "cpu",
        sampler: SamplerSettings = DEFAULT,
        rename_map: Mapping[str, str] | None = None,
        engine: str = AUTO,
    ) -> SmolVLAPolicy:
        """Loads a checkpoint and prepares it for an engine (see engines.choice).

        Raises CheckpointError where the folder is no sound checkpoint, EmbodimentMismatch where it does not fit,
        EngineError where the engine does not run on the device.
        """
        checkpoint = load_checkpoint(path, device)
        policy = cls(checkpoint, embodiment, device, sampler, rename_map)
        chosen = choose(engine, device, checkpoint.model)
        chosen.prepare(checkpoint.model)
        policy.engine = chosen.name
        return policy

    def for_another_robot(self, embodiment: Embodiment) -> SmolVLAPolicy:
        """Shares the checkpoint with this one; units, noise and frames are its own. Raises EmbodimentMismatch."""
        device = str(self._device)
        other = SmolVLAPolicy(self.checkpoint, embodiment, device, self._sampler, self._rename_map)
        other.engine = self.engine
        return other

    def reset(self) -> None:
        self._generator = torch.Generator().manual_seed(self._sampler.seed)
        self._frames = FrameMemory()

    def infer(self, observation: Observation) -> Chunk:
        """Raises PolicyRefusal where an image, the positions or the instruction are missing or malformed."""
        (answer,) = self.infer_together([(self, observation)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    @torch.inference_mode()
    def infer_together(asked: Sequence[tuple[SmolVLAPolicy, Observation]]) -> list[Chunk | Exception]:
        """What each policy, all of one checkpoint, answers or raises, in order: one batch, or one for each number of
        rows that chunks shall begin with. A batch that fails is tried again one by one.
        """
        answers: dict[int, Chunk | Exception] = {}
        batches: dict[int, dict[int, _Asked]] = {}
        clock = _Clock(asked[0][0]._device)
        for number, (policy, observation) in enumerate(asked):
            try:
                one = policy._prepare(observation)
            except Exception as error:
                answers[number] = error
            else:
                batches.setdefault(one.clean_count, {})[number] = one
        for batch in batches.values():
            try:
                answers.update(zip(batch, _infer_batch(list(batch.values()), clock), strict=True))
            except Exception as error:
                for number, one in batch.items():
                    answers[number] = error if len(batch) == 1 else _alone(one)
        return [answers[number] for number in range(len(asked))]

    def _prepare(self, observation: Observation) -> _Asked:
        """Raises PolicyRefusal. Draws the noise: one chunk's for each observation, however they are batched."""
        frames = {camera: _checked_frame(observation.images.get(camera), camera) for camera in self.cameras}
        model = self.checkpoint.model
        inputs = model_inputs(self._batch(observation, frames), model.config)
        noise = (self._noise_scale * model.noise(1, self._generator)).to(self._device)
        state = self._state(observation)
        return _Asked(self, frames, inputs, noise, state, *self._rows_under_way(observation))

    def _chunk(self, actions: Tensor, state: Tensor) -> np.ndarray:
        """The model's actions (chunk, max_action_dim) in radians (chunk, joints). state: see _state."""
        values = actions[:, : self._joints].float().cpu()
        return self._units.to_radians(self.checkpoint.processors.actions_from_model(values, state).double().numpy())

    def _rows_under_way(self, observation: Observation) -> tuple[Guidance | None, Tensor | None]:
        """What the sampler is guided by, or begins with, as the settings say. Raises PolicyRefusal."""
        chunking, config = self._sampler.real_time_chunking, self.checkpoint.config
        if chunking == "off":
            return None, None
        encode = partial(self.checkpoint.processors.actions_to_model, state=self._state(observation))
        held = guidance_of(observation, self._step_s, self._units, encode, config.chunk_size, config.max_action_dim)
        if held is None or chunking == "guided":
            return held, None
        return None, held.frozen[:, : config.rtc_training_max_delay].to(self._device)

    def _state(self, observation: Observation) -> Tensor:
        """The joints (joints,) in LeRobot's units. Raises PolicyRefusal."""
        positions = np.asarray(observation.positions, dtype=np.float64)
        if positions.shape != (self._joints,) or not np.isfinite(positions).all():
            raise PolicyRefusal(f"positions: expected {self._joints} finite angles, found {positions.tolist()}")
        return torch.from_numpy(self._units.from_radians(positions)).float()

    def _batch(self, observation: Observation, frames: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """The observation in the public key names, batch of one, on the device."""
        if not observation.instruction.strip():
            raise PolicyRefusal("instruction: expected words, found an empty one; say what to do")
        batch = {}
        for feature, camera in self._features.items():
            batch[feature] = frame_to_tensor(frames[camera])
        batch[STATE] = self.checkpoint.processors.state.forward(self._state(observation)[None])
        batch[TOKENS], batch[TOKEN_MASK] = self.checkpoint.tokenizer([observation.instruction])
        return {name: value.to(self._device) for name, value in batch.items()}


@dataclass(frozen=True)
class _Asked:
    """One robot's observation, ready for the model; a batch of one. `clean_rows`: what the chunk shall begin with."""

    policy: SmolVLAPolicy
    frames: Mapping[str, np.ndarray]
    inputs: ModelInputs
    noise: Tensor
    state: Tensor
    guidance: Guidance | None
    clean_rows: Tensor | None

    @property
    def clean_count(self) -> int:
        return 0 if self.clean_rows is None else self.clean_rows.shape[1]


def _infer_batch(batch: Sequence[_Asked], clock: _Clock) -> list[Chunk]:
    """The chunks of robots with equally many clean rows. What each remembers is changed when all have an answer."""
    policy = batch[0].policy
    flow, limit_s = policy.checkpoint.model.model, policy._sampler.time_limit_s
    deadline_s = time.monotonic() + limit_s if limit_s else math.inf
    clock.lap("preprocess")
    tokens = _image_tokens(batch)
    inputs = joined([one.inputs for one in batch])
    memory = flow.remember(inputs, [torch.cat(camera) for camera in zip(*tokens, strict=True)])
    clock.lap("encode")
    guidance = [one.guidance for one in batch]
    clean = [one.clean_rows for one in batch if one.clean_rows is not None]
    sampled = flow.sample_until(
        deadline_s,
        time.monotonic,
        memory,
        torch.cat([one.noise for one in batch]),
        policy.num_steps,
        guidance if any(guidance) else None,
        torch.cat(clean) if clean else None,
    )
    clock.lap("denoise")
    rows = [one.policy._chunk(actions, one.state) for one, actions in zip(batch, sampled.actions, strict=True)]
    clock.lap("postprocess")
    for one, encoded in zip(batch, tokens, strict=True):
        one.policy._frames.keep(one.frames, encoded)
    return [Chunk(each, policy._step_s, denoise_steps=sampled.steps, latency_s=dict(clock.laps)) for each in rows]


def _alone(one: _Asked) -> Chunk | Exception:
    try:
        return _infer_batch([one], _Clock(one.policy._device))[0]
    except Exception as error:
        return error


def _image_tokens(batch: Sequence[_Asked]) -> list[list[Tensor]]:
    """Of each robot's cameras, (1, tokens, width) each; the frames that are new are encoded in one pass."""
    known = [one.policy._frames.known(one.frames) for one in batch]
    unknown = [
        image
        for one, tokens in zip(batch, known, strict=True)
        for image, encoded in zip(one.inputs.images, tokens, strict=True)
        if encoded is None
    ]
    flow = batch[0].policy.checkpoint.model.model
    new = iter(flow.embed_images(torch.cat(unknown)).split(1) if unknown else ())
    return [[next(new) if encoded is None else encoded for encoded in tokens] for tokens in known]


class _Clock:
    """Seconds between laps, the device's queued work included."""

    def __init__(self, device: torch.device) -> None:
        self.laps: dict[str, float] = {}
        self._device, self._last = device, time.perf_counter()

    def lap(self, stage: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.laps[stage], self._last = now - self._last, now


def _checked_frame(frame: np.ndarray | None, camera: str) -> np.ndarray:
    expected = f"camera '{camera}': expected an image of (height, width, 3) uint8 RGB"
    if frame is None:
        raise PolicyRefusal(f"{expected}, found none; check that its driver publishes")
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
        raise PolicyRefusal(f"{expected}, found shape {frame.shape} of {frame.dtype}; check the camera's encoding")
    return frame
