"""SmolVLA as a policy: camera frames, radians and words in, a chunk of radians out.

The model, its files and its numbers are in smolvla_ros.model; here is only the border to the robot.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.engines.choice import REFERENCE, choose
from smolvla_ros.engines.errors import AUTO
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS, model_inputs
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
        features = fit_cameras(checkpoint, embodiment, rename_map or {})
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

    def reset(self) -> None:
        self._generator = torch.Generator().manual_seed(self._sampler.seed)
        self._frames = FrameMemory()

    @torch.inference_mode()
    def infer(self, observation: Observation) -> Chunk:
        """Raises PolicyRefusal where an image, the positions or the instruction are missing or malformed."""
        model, flow = self.checkpoint.model, self.checkpoint.model.model
        clock, limit_s = _Clock(self._device), self._sampler.time_limit_s
        deadline_s = time.monotonic() + limit_s if limit_s else math.inf
        frames = {camera: _checked_frame(observation.images.get(camera), camera) for camera in self.cameras}
        inputs = model_inputs(self._batch(observation, frames), model.config)
        noise = model.noise(1, self._generator).to(self._device)
        clock.lap("preprocess")
        image_tokens = flow.embed_cameras(inputs, self._frames.known(frames))
        self._frames.keep(frames, image_tokens)
        memory = flow.remember(inputs, image_tokens)
        clock.lap("encode")
        guidance, clean_rows = self._rows_under_way(observation)
        sampled = flow.sample_until(deadline_s, time.monotonic, memory, noise, self.num_steps, guidance, clean_rows)
        actions = sampled.actions[0, :, : self._joints]
        clock.lap("denoise")
        values = self.checkpoint.processors.action.inverse(actions.float().cpu())
        positions = self._units.to_radians(values.double().numpy())
        clock.lap("postprocess")
        return Chunk(positions, self._step_s, denoise_steps=sampled.steps, latency_s=clock.laps)

    def _rows_under_way(self, observation: Observation) -> tuple[Guidance | None, Tensor | None]:
        """What the sampler is guided by, or begins with, as the settings say. Raises PolicyRefusal."""
        chunking, config = self._sampler.real_time_chunking, self.checkpoint.config
        if chunking == "off":
            return None, None
        normalizer = self.checkpoint.processors.action
        held = guidance_of(observation, self._step_s, self._units, normalizer, config.chunk_size, config.max_action_dim)
        if held is None or chunking == "guided":
            return held, None
        return None, held.frozen[:, : config.rtc_training_max_delay].to(self._device)

    def _batch(self, observation: Observation, frames: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """The observation in the public key names, batch of one, on the device."""
        if not observation.instruction.strip():
            raise PolicyRefusal("instruction: expected words, found an empty one; say what to do")
        batch = {}
        for feature, camera in self._features.items():
            batch[feature] = frame_to_tensor(frames[camera])
        positions = np.asarray(observation.positions, dtype=np.float64)
        if positions.shape != (self._joints,) or not np.isfinite(positions).all():
            raise PolicyRefusal(f"positions: expected {self._joints} finite angles, found {positions.tolist()}")
        state = torch.from_numpy(self._units.from_radians(positions)).float()[None]
        batch[STATE] = self.checkpoint.processors.state.forward(state)
        batch[TOKENS], batch[TOKEN_MASK] = self.checkpoint.tokenizer([observation.instruction])
        return {name: value.to(self._device) for name, value in batch.items()}


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
