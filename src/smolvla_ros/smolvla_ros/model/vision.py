"""The vision encoder: SigLIP, a transformer over image patches with full attention.

Module names are the public checkpoint's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smolvla_ros.model.attention import full_attention, split_heads
from smolvla_ros.model.config import VisionConfig
from smolvla_ros.model.linear import Linear


class VisionTower(nn.Module):
    """Images (batch, 3, height, width) in [-1, 1] to patch features (batch, patches, hidden)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings(config)
        self.encoder = Encoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, images: Tensor) -> Tensor:
        return self.post_layernorm(self.encoder(self.embeddings(images)))


class PatchEmbeddings(nn.Module):
    """A learned projection of each patch plus a learned embedding of its place."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.side = config.image_size // config.patch_size
        self.patch_embedding = nn.Conv2d(3, config.hidden_size, config.patch_size, stride=config.patch_size)
        self.position_embedding = nn.Embedding(self.side**2, config.hidden_size)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embedding(images.to(self.patch_embedding.weight.dtype))  # (batch, hidden, rows, columns)
        positions = self.positions(patches.shape[2], patches.shape[3], patches)
        return patches.flatten(2).transpose(1, 2).contiguous() + self.position_embedding(positions)

    def positions(self, rows: int, columns: int, like: Tensor) -> Tensor:
        """Ids (rows * columns,): row-major at the tower's own size; a smaller image is spread over the whole table."""
        if rows == columns == self.side:  # also in types that have no twelfths: trained and run in two, they must agree
            return torch.arange(self.side**2, device=like.device)
        boundaries = torch.arange(1 / self.side, 1.0, 1 / self.side, device=like.device)

        def spread(count: int) -> Tensor:
            fractions = torch.arange(count, dtype=torch.float32, device=like.device) * (1.0 / count)
            return torch.bucketize(fractions.clamp(max=1.0 - 1e-6).to(like.dtype), boundaries, right=True)

        return (spread(rows)[:, None] * self.side + spread(columns)).flatten()


class Encoder(nn.Module):
    """The layers in turn."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class EncoderLayer(nn.Module):
    """Pre-norm attention and MLP, each with a residual."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = VisionAttention(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = VisionMLP(config)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden + self.self_attn(self.layer_norm1(hidden))
        return hidden + self.mlp(self.layer_norm2(hidden))


class VisionMLP(nn.Module):
    """Two linear layers about a GELU, approximated by tanh as in SigLIP."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(hidden), approximate="tanh"))


class VisionAttention(nn.Module):
    """Every patch sees every patch."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.q_proj = Linear(config.hidden_size, config.hidden_size)
        self.k_proj = Linear(config.hidden_size, config.hidden_size)
        self.v_proj = Linear(config.hidden_size, config.hidden_size)
        self.out_proj = Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        queries, keys, values = (
            split_heads(linear(hidden), self.head_dim) for linear in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(full_attention(queries, keys, values))
