"""SmolVLA as a policy: camera frames, radians and words in, a chunk of radians out.

The model, its files and its numbers are in smolvla_ros.model; here is only the border to the robot.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smolvla_ros.embodiment import Embodiment
from smolvla_ros.model.checkpoint import Checkpoint, load_checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS, model_inputs
from smolvla_ros.model.letterbox import frame_to_tensor
from smolvla_ros.policies.embodiment_fit import check_joints, check_statistics, fit_cameras
from smolvla_ros.policies.interface import Chunk, Observation, PolicyRefusal
from smolvla_ros.units import LeRobotUnits


class SmolVLAPolicy:
    """A checkpoint that fits a robot. State: the generator of the sampler's noise, set back by `reset`."""

    name = "smolvla"
    needs_objects = False

    def __init__(
        self,
        checkpoint: Checkpoint,
        embodiment: Embodiment,
        device: str = "cpu",
        num_steps: int | None = None,
        seed: int = 0,
        rename_map: Mapping[str, str] | None = None,
    ) -> None:
        """Raises EmbodimentMismatch. `rename_map`: a robot's camera feature -> the checkpoint's."""
        features = fit_cameras(checkpoint, embodiment, rename_map or {})
        check_joints(checkpoint, embodiment)
        check_statistics(checkpoint, embodiment)
        if num_steps is not None and num_steps < 1:
            raise ValueError(f"num_steps: expected a whole number above 0, found {num_steps}")
        self.checkpoint = checkpoint
        self.cameras = tuple(features.values())
        self.num_steps = num_steps or checkpoint.config.num_steps
        self._features, self._joints = features, len(embodiment.joints)
        self._step_s = 1.0 / embodiment.rates.policy_hz
        self._units, self._device, self._seed = LeRobotUnits(embodiment), torch.device(device), seed
        self.reset()

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        embodiment: Embodiment,
        device: str = "cpu",
        num_steps: int | None = None,
        seed: int = 0,
        rename_map: Mapping[str, str] | None = None,
    ) -> SmolVLAPolicy:
        """Raises CheckpointError where the folder is no sound checkpoint, EmbodimentMismatch where it does not fit."""
        return cls(load_checkpoint(path, device), embodiment, device, num_steps, seed, rename_map)

    def reset(self) -> None:
        self._generator = torch.Generator().manual_seed(self._seed)

    @torch.inference_mode()
    def infer(self, observation: Observation) -> Chunk:
        """Raises PolicyRefusal where an image, the positions or the instruction are missing or malformed."""
        model = self.checkpoint.model
        clock = _Clock(self._device)
        inputs = model_inputs(self._batch(observation), model.config)
        noise = model.noise(1, self._generator).to(self._device)
        clock.lap("preprocess")
        memory = model.model.remember(inputs)
        clock.lap("encode")
        actions = model.model.sample(memory, noise, self.num_steps)[0, :, : self._joints]
        clock.lap("denoise")
        values = self.checkpoint.processors.action.inverse(actions.float().cpu())
        positions = self._units.to_radians(values.double().numpy())
        clock.lap("postprocess")
        return Chunk(positions, self._step_s, denoise_steps=self.num_steps, latency_s=clock.laps)

    def _batch(self, observation: Observation) -> dict[str, Tensor]:
        """The observation in the public key names, batch of one, on the device."""
        if not observation.instruction.strip():
            raise PolicyRefusal("instruction: expected words, found an empty one; say what to do")
        batch = {}
        for feature, camera in self._features.items():
            batch[feature] = frame_to_tensor(_checked_frame(observation.images.get(camera), camera))
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
