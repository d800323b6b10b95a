"""SmolVLA's flow matching (arXiv 2506.01844): a vision-language prefix, read by an expert that denoises action chunks.

    memory = model.remember(inputs)                        # once an observation: images, instruction, state
    actions = model.sample(memory, noise, num_steps=10)    # (batch, chunk, max_action_dim)

Flow time runs from 1, noise, to 0, actions: x_t = t * noise + (1 - t) * actions, whose velocity is noise - actions.
Module names below are the public checkpoint's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import monotonic

import torch
from torch import Tensor, nn
from torch.nn import functional

from smolvla_ros.model.config import BackboneConfig, SmolVLAConfig
from smolvla_ros.model.connector import Connector
from smolvla_ros.model.errors import mismatch
from smolvla_ros.model.expert import ActionExpert, Memory, language_layer_count
from smolvla_ros.model.inputs import ModelInputs
from smolvla_ros.model.language import LanguageModel
from smolvla_ros.model.linear import Linear
from smolvla_ros.model.prefix import Prefix, block_mask, join
from smolvla_ros.model.real_time_chunking import Denoised, Guidance, differentiable, guided_velocity, needs_gradients
from smolvla_ros.model.sampling import Sampled, euler, flow_times
from smolvla_ros.model.vision import VisionTower


class VisionLanguageModel(nn.Module):
    """The backbone, cut to the layers that are used."""

    def __init__(self, config: SmolVLAConfig, backbone: BackboneConfig) -> None:
        super().__init__()
        text, vision = backbone.text, backbone.vision
        self.vision_model = VisionTower(vision)
        self.connector = Connector(vision.hidden_size, text.hidden_size, backbone.scale_factor)
        self.text_model = LanguageModel(text, language_layer_count(config, text))


class Backbone(nn.Module):
    """A level of the public parameter names, beside which the public file keeps the unused `lm_head`."""

    def __init__(self, config: SmolVLAConfig, backbone: BackboneConfig) -> None:
        super().__init__()
        self.model = VisionLanguageModel(config, backbone)


class BackboneAndExpert(nn.Module):
    """A level of the public parameter names."""

    def __init__(self, config: SmolVLAConfig, backbone: BackboneConfig) -> None:
        super().__init__()
        self.vlm = Backbone(config, backbone)
        self.lm_expert = ActionExpert(config, backbone.text)


class FlowMatching(nn.Module):
    """The whole model. `image_token_ids` are (fake token around image, global image), read with special tokens only."""

    image_token_ids = (49189, 49152)

    def __init__(self, config: SmolVLAConfig, backbone: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        text_width = backbone.text.hidden_size
        self.vlm_with_expert = BackboneAndExpert(config, backbone)
        width = self.expert.width
        self.state_proj = Linear(config.max_state_dim, text_width if config.state_to_prefix else width)
        self.action_in_proj = Linear(config.max_action_dim, width)
        self.action_time_mlp_in = Linear(2 * width, width)
        self.action_time_mlp_out = Linear(width, width)
        self.action_out_proj = Linear(width, config.max_action_dim)

    @property
    def backbone(self) -> VisionLanguageModel:
        return self.vlm_with_expert.vlm.model

    @property
    def expert(self) -> ActionExpert:
        return self.vlm_with_expert.lm_expert

    # The prefix: images, instruction and state

    def embed_images(self, images: Tensor) -> Tensor:
        """(batch, 3, side, side) in [-1, 1] to image tokens (batch, tokens, width), scaled by sqrt(width)."""
        tokens = self.backbone.connector(self.backbone.vision_model(images))
        return tokens * torch.tensor(math.sqrt(tokens.shape[-1]), dtype=tokens.dtype, device=tokens.device)

    def embed_cameras(
        self, inputs: ModelInputs, image_tokens: Sequence[Tensor | None] | None = None
    ) -> tuple[Tensor | None, ...]:
        """Image tokens (batch, tokens, width) of each camera, None where no sample has it.

        image_tokens: those that are known already, one for each camera of the inputs. The cameras that any sample has
        and that are None there go through the vision encoder in one batch.
        """
        known = image_tokens if image_tokens is not None else [None] * len(inputs.images)
        cameras = [
            (image, tokens, bool(valid.any()))
            for image, tokens, valid in zip(inputs.images, known, inputs.image_valid, strict=True)
        ]
        unknown = [image for image, tokens, present in cameras if present and tokens is None]
        encoded = iter(self.embed_images(torch.cat(unknown)).chunk(len(unknown)) if unknown else ())
        return tuple(
            (next(encoded) if tokens is None else tokens) if present else None for _, tokens, present in cameras
        )

    def embed_context(
        self, inputs: ModelInputs, image_tokens: Sequence[Tensor | None] | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """[image tokens of each camera][instruction]: (embeddings, valid) of each part."""
        embed = self.backbone.text_model.embed_tokens
        batch = inputs.state.shape[0]
        always = torch.ones(batch, 1, dtype=torch.bool, device=inputs.state.device)

        def special(*ids: int) -> tuple[Tensor, Tensor]:
            rows = embed(torch.tensor(ids, device=always.device)).expand(batch, -1, -1)
            return rows, always.expand(-1, len(ids))

        parts = []
        fake, global_image = self.image_token_ids
        for rows, valid in zip(self.embed_cameras(inputs, image_tokens), inputs.image_valid, strict=True):
            if self.config.add_image_special_tokens:
                parts.append(special(fake, global_image))
            if rows is not None:
                parts.append((rows, valid[:, None].expand(-1, rows.shape[1])))
            if self.config.add_image_special_tokens:
                parts.append(special(fake))
        language = embed(inputs.tokens)
        parts.append((language * math.sqrt(language.shape[-1]), inputs.token_valid))
        return parts

    def embed_prefix(self, inputs: ModelInputs, image_tokens: Sequence[Tensor | None] | None = None) -> Prefix:
        """Context and state, if it is read here, without the rows that are padding in every sample."""
        if not self.config.state_to_prefix:
            return join(self.embed_context(inputs, image_tokens), None)
        state = self.state_proj(inputs.state)[:, None]
        always = torch.ones(len(state), 1, dtype=torch.bool, device=state.device)
        return join(self.embed_context(inputs, image_tokens), (state, always))

    def remember(self, inputs: ModelInputs, image_tokens: Sequence[Tensor | None] | None = None) -> Memory:
        """The prefix pass: what the expert will read, computed once for all denoising steps.

        image_tokens: what embed_images made of the cameras earlier, as embed_cameras takes it.
        """
        prefix = self.embed_prefix(inputs, image_tokens)
        positions = prefix.valid.cumsum(dim=1) - 1
        cache = self.backbone.text_model(prefix.embeddings, positions, block_mask(prefix.valid, prefix.block))
        return self.expert.remember(cache, prefix.valid, self.state_of_expert(inputs))

    def state_of_expert(self, inputs: ModelInputs) -> Tensor | None:
        """The state as the expert reads it (batch, 1, expert width); None where the language model does."""
        return None if self.config.state_to_prefix else self.state_proj(inputs.state)[:, None]

    # Denoising

    def embed_time(self, time: Tensor) -> Tensor:
        """Flow times (n,) to sine-cosine embeddings (n, expert width), periods from min_period to max_period."""
        low, high = self.config.min_period, self.config.max_period
        fraction = torch.linspace(0.0, 1.0, self.expert.width // 2, dtype=torch.float64, device=time.device)
        angles = time[:, None] * (1.0 / (low * (high / low) ** fraction) * 2 * math.pi)
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def velocity(self, x_t: Tensor, time_embedding: Tensor, memory: Memory) -> Tensor:
        """The flow, float32, at x_t (batch, chunk, max_action_dim); time_embedding (batch or 1, chunk or 1, width)."""
        actions = self.action_in_proj(x_t)
        time = time_embedding.to(actions.dtype).expand_as(actions)
        fused = functional.silu(self.action_time_mlp_in(torch.cat([actions, time], dim=2)))
        features = self.expert(self.action_time_mlp_out(fused), memory)
        return self.action_out_proj(features.float()).float()

    def sample(
        self,
        memory: Memory,
        noise: Tensor,
        num_steps: int,
        guidance: Guidance | Sequence[Guidance | None] | None = None,
        clean_rows: Tensor | None = None,
    ) -> Tensor:
        """Euler from noise (batch, chunk, max_action_dim) at time 1 to actions at time 0.

        guidance: a previous chunk to go on from, at inference alone; one for all samples, or one or None for each.
        clean_rows (batch or 1, rows, up to
        max_action_dim): first rows that the actions will have exactly, for a model that was trained to continue such.
        Raises CheckpointError where this model was not, ValueError where the objective has no steps to guide.
        """
        return self.sample_until(math.inf, monotonic, memory, noise, num_steps, guidance, clean_rows).actions

    def sample_until(
        self,
        deadline_s: float,
        clock: Callable[[], float],
        memory: Memory,
        noise: Tensor,
        num_steps: int,
        guidance: Guidance | Sequence[Guidance | None] | None = None,
        clean_rows: Tensor | None = None,
    ) -> Sampled:
        """As `sample`, in fewer steps where all would end after `deadline_s` of `clock` (see sampling.euler)."""
        held = [guidance] if guidance is None or isinstance(guidance, Guidance) else guidance
        if self.config.objective == "regression":
            if any(held) or clean_rows is not None:
                raise ValueError("guidance: expected none, for this checkpoint regresses chunks in one pass")
            return Sampled(self.regress(memory, len(noise)), 1)
        if needs_gradients(held):
            memory = differentiable(memory)
        clean = self._clean_rows(clean_rows, noise)
        count = clean.shape[1]
        times = torch.tensor([*flow_times(num_steps), 0.0], dtype=torch.float32, device=noise.device)
        *embeddings, of_clean = self.embed_time(times)[:, None, None]

        def denoise(x_t: Tensor, k: int) -> Denoised:
            embedding = embeddings[k]
            if count:
                x_t[:, :count] = clean
                rest = embedding.expand(-1, x_t.shape[1] - count, -1)
                embedding = torch.cat([of_clean.expand(-1, count, -1), rest], dim=1)
            return guided_velocity(
                lambda x: self.velocity(x, embedding, memory), x_t, flow_times(num_steps)[k], guidance
            )

        sampled = euler(denoise, noise.clone() if count else noise, num_steps, deadline_s, clock)
        sampled.actions[:, :count] = clean
        return sampled

    def _clean_rows(self, rows: Tensor | None, noise: Tensor) -> Tensor:
        """Zero-padded to (batch, rows, max_action_dim); none, where None."""
        if rows is None:
            return noise[:, :0]
        if rows.shape[1] > self.config.rtc_training_max_delay:
            raise mismatch(
                "config.json: rtc_training_max_delay",
                f"at least the {rows.shape[1]} rows that the new chunk shall begin with",
                self.config.rtc_training_max_delay,
                "guide the sampling instead, or train with such delays",
            )
        clean = torch.zeros_like(noise[:, : rows.shape[1]])
        clean[..., : rows.shape[2]] = rows.to(noise)
        return clean

    def regress(self, memory: Memory, batch: int) -> Tensor:
        """The chunk (batch, chunk, max_action_dim) in one pass over blank actions (an ablation of the paper's)."""
        blank = self.action_in_proj.weight.new_zeros(batch, self.config.chunk_size, self.config.max_action_dim)
        time = torch.ones(1, dtype=torch.float32, device=blank.device)
        return self.velocity(blank, self.embed_time(time)[:, None], memory)

    # Training

    def error(self, memory: Memory, actions: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """The objective by element: actions, noise (batch, rows, max_action_dim), time (batch, rows) or (batch, 1).

        flow_matching: (velocity at x_t - (noise - actions))^2, where rows of time 0 are clean, and theirs means nothing
        (arXiv 2512.05964). regression: |chunk - actions|. rows: of the chunk, or of several where the memory is.
        """
        if self.config.objective == "regression":
            return (self.regress(memory, len(actions)) - actions).abs()
        t = time[:, :, None]
        x_t = t * noise + (1 - t) * actions
        embedding = self.embed_time(time.flatten()).unflatten(0, time.shape)
        return (noise - actions - self.velocity(x_t, embedding, memory)).square()
