"""SmolVLA on LIBERO's arm: pictures, state and words in, the next actions out, as LeRobot's evaluation asks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from smolvla_ros.engines.choice import choose
from smolvla_ros.engines.errors import AUTO
from smolvla_ros.model.checkpoint import Checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS
from smolvla_ros.model.letterbox import frame_to_tensor
from smolvla_ros.policies.interface import EmbodimentMismatch
from smolvla_ros.simulation.libero import ACTION_WIDTH, CAMERAS, STATE_WIDTH, LiberoObservation


class LiberoPolicy:
    """A checkpoint trained on LIBERO. State, set back by `reset`: the noise's generator."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        renames: Mapping[str, str] | None = None,
        device: str = "cpu",
        engine: str = AUTO,
    ) -> None:
        """renames: LIBERO's camera feature -> the checkpoint's. Raises EmbodimentMismatch, EngineError."""
        config, every = checkpoint.config, {**checkpoint.processors.rename_map, **(renames or {})}
        for name, found, wanted in (
            (STATE, config.state_dim, STATE_WIDTH),
            ("action", config.action_dim, ACTION_WIDTH),
        ):
            if found != wanted:
                raise EmbodimentMismatch(
                    f"checkpoint: {name}: expected {wanted} values, as LIBERO has, found {found}; take one that was "
                    "trained on a LIBERO dataset"
                )
        self._names = {feature: every.get(feature, feature) for feature in CAMERAS.values()}
        missing = [name for name in config.camera_features if name not in self._names.values()]
        if len(missing) > config.empty_cameras or len(missing) == len(config.camera_features):
            raise EmbodimentMismatch(
                f"checkpoint: cameras: expected {', '.join(self._names.values())}, found "
                f"{', '.join(config.camera_features)}; name them: --rename {next(iter(CAMERAS.values()))}={missing[0]}"
            )
        choose(engine, device, checkpoint.model).prepare(checkpoint.model)
        self._checkpoint, self._device = checkpoint, torch.device(device)
        self.reset(0)

    def reset(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def infer(self, observation: LiberoObservation, instruction: str) -> np.ndarray:
        """The actions (n_action_steps, 7) to execute before the next look."""
        checkpoint, config = self._checkpoint, self._checkpoint.config
        state = torch.from_numpy(observation.state)[None]
        tokens, mask = checkpoint.tokenizer([instruction])
        known = set(config.camera_features)
        batch = {
            **{
                self._names[feature]: frame_to_tensor(image)
                for feature, image in observation.images.items()
                if self._names[feature] in known
            },
            STATE: checkpoint.processors.state.forward(state),
            TOKENS: tokens,
            TOKEN_MASK: mask,
        }
        noise = checkpoint.noise_scale * checkpoint.model.noise(1, self._generator)
        chunk = checkpoint.model.predict_action_chunk(
            {name: value.to(self._device) for name, value in batch.items()}, noise.to(self._device)
        )
        actions = checkpoint.processors.actions_from_model(chunk.float().cpu(), state)
        return actions[0, : config.n_action_steps].numpy()
