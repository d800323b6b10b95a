"""SmolVLA over batches in the public key names: normalised observations in, normalised actions out.

    policy = SmolVLA(config, backbone).eval()
    actions = policy.predict_action_chunk(batch, noise)     # (batch, chunk, action_dim)

Parameter names equal the public model.safetensors, but for `lm_head`, which the policy never reads.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from smolvla_ros.model.config import BackboneConfig, SmolVLAConfig
from smolvla_ros.model.flow_matching import FlowMatching
from smolvla_ros.model.inputs import model_actions, model_inputs
from smolvla_ros.model.real_time_chunking import Guidance

TIME_BETA, TIME_SCALE, TIME_OFFSET = (1.5, 1.0), 0.999, 0.001
"""Training draws flow times from 0.999 * Beta(1.5, 1) + 0.001: more of them near the noise."""


class SmolVLA(nn.Module):
    """The model with its config; see inputs.py for a batch's keys."""

    def __init__(self, config: SmolVLAConfig, backbone: BackboneConfig) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        self.model = FlowMatching(config, backbone)

    def noise(self, batch_size: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal (batch, chunk, max_action_dim), drawn on the CPU so that a seed means the same everywhere."""
        return torch.randn(batch_size, self.config.chunk_size, self.config.max_action_dim, generator=generator)

    @torch.no_grad()
    def predict_action_chunk(
        self,
        batch: Mapping[str, Tensor],
        noise: Tensor | None = None,
        num_steps: int | None = None,
        guidance: Guidance | None = None,
        clean_rows: Tensor | None = None,
    ) -> Tensor:
        """Actions (batch, chunk, action_dim), normalised; the config's number of steps where None.

        guidance and clean_rows: as FlowMatching.sample takes them, and raises for.
        """
        inputs = model_inputs(batch, self.config)
        start = (self.noise(len(inputs.state)) if noise is None else noise).to(inputs.state.device)
        with torch.inference_mode(guidance is None or guidance.jacobian == "identity"):
            memory = self.model.remember(inputs)
            actions = self.model.sample(memory, start, num_steps or self.config.num_steps, guidance, clean_rows)
        return actions[..., : self.config.action_dim]

    def loss(
        self,
        batch: Mapping[str, Tensor],
        noise: Tensor | None = None,
        time: Tensor | None = None,
        delay: Tensor | None = None,
    ) -> Tensor:
        """The objective, a scalar: the mean over the robot's own dimensions of rows inside the episode.

        noise (batch, chunk, max_action_dim), time (batch,) and delay (batch,) whole numbers are drawn where None. The
        first `delay` rows are given clean and not learned; 0 but for a config with rtc_training_max_delay.
        """
        inputs, actions = model_inputs(batch, self.config), model_actions(batch, self.config)
        if noise is None:
            noise = torch.randn_like(actions)
        if time is None:
            draw = torch.distributions.Beta(*TIME_BETA).sample((len(actions),)).to(actions)
            time = draw * TIME_SCALE + TIME_OFFSET
        longest = self.config.rtc_training_max_delay
        if delay is None and longest:
            delay = torch.randint(longest + 1, (len(actions),), device=actions.device)
        time, learned = time[:, None], torch.ones(actions.shape[:2], dtype=torch.bool, device=actions.device)
        if delay is not None:
            learned = torch.arange(actions.shape[1], device=actions.device) >= delay[:, None]
            time = time * learned
        if (padding := batch.get("action_is_pad")) is not None:
            learned = learned & ~padding.bool()
        memory = self.model.remember(inputs)
        error = self.model.error(memory, actions, noise, time)[..., : self.config.action_dim]
        return (error * learned[..., None]).sum() / (learned.sum() * error.shape[-1]).clamp_min(1)
