"""The language model: Llama blocks over images, instruction and state; the action expert reads their keys and values.

Only the first N layers of the backbone are used (layer skipping). What nobody reads is not computed: the last block's
attention and MLP, the final norm and the head over the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from smolvla_ros.model.attention import grouped_attention, split_heads
from smolvla_ros.model.config import TextConfig
from smolvla_ros.model.linear import Linear
from smolvla_ros.model.rope import Angles, rotary_angles, rotate

KeysAndValues = tuple[Tensor, Tensor]
"""Keys, rotated, and values of one layer, each (batch, key-value heads, rows, head_dim)."""


class RMSNorm(nn.Module):
    """Scaled to unit mean square, in float32; the weight's type may promote the result."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return self.weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = Linear(width, inner, bias=False)
        self.up_proj = Linear(width, inner, bias=False)
        self.down_proj = Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Projections(nn.Module):
    """The four linear layers of grouped attention."""

    def __init__(self, width: int, memory_width: int, text: TextConfig) -> None:
        super().__init__()
        inner, grouped = text.num_attention_heads * text.head_dim, text.num_key_value_heads * text.head_dim
        self.q_proj = Linear(width, inner, bias=False)
        self.k_proj = Linear(memory_width, grouped, bias=False)
        self.v_proj = Linear(memory_width, grouped, bias=False)
        self.o_proj = Linear(inner, width, bias=False)


class Block(nn.Module):
    """One Llama block of `width`; keys and values are made from inputs of `memory_width`, its own width by default."""

    def __init__(self, width: int, inner: int, text: TextConfig, memory_width: int | None = None) -> None:
        super().__init__()
        self.head_dim = text.head_dim
        self.self_attn = Projections(width, memory_width or width, text)
        self.input_layernorm = RMSNorm(width, text.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(width, text.rms_norm_eps)
        self.mlp = SwiGLU(width, inner)

    def queries(self, hidden: Tensor, angles: Angles) -> Tensor:
        """Hidden states (batch, length, width) to queries (batch, heads, length, head_dim), rotated."""
        return rotate(split_heads(self.self_attn.q_proj(self.input_layernorm(hidden)), self.head_dim), angles)

    def keys_and_values(self, hidden: Tensor, angles: Angles) -> KeysAndValues:
        """Hidden states (batch, length, width) to (batch, key-value heads, length, head_dim) each, keys rotated."""
        keys, values = self._project(*2 * [self.input_layernorm(hidden)])
        return rotate(keys, angles), values

    def queries_keys_values(self, hidden: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        """`queries` and `keys_and_values` of the same hidden states."""
        return self.queries(hidden, angles), *self.keys_and_values(hidden, angles)

    def project_memory(self, keys: Tensor, values: Tensor) -> KeysAndValues:
        """What a crossing layer reads: another layer's keys and values, heads side by side, projected once more."""
        return self._project(keys.transpose(1, 2).flatten(2), values.transpose(1, 2).flatten(2))

    def _project(self, keys_from: Tensor, values_from: Tensor) -> KeysAndValues:
        return (
            split_heads(self.self_attn.k_proj(keys_from), self.head_dim),
            split_heads(self.self_attn.v_proj(values_from), self.head_dim),
        )

    def attend(self, queries: Tensor, seen: Sequence[KeysAndValues], visible: Tensor | None) -> Tensor:
        """Attention over the parts of `seen` in order, as (batch, length, heads * head_dim)."""
        keys, values = seen[0] if len(seen) == 1 else (torch.cat(parts, dim=2) for parts in zip(*seen, strict=True))
        return grouped_attention(queries, keys, values, visible)

    def finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """What follows attention: output projection, residual, norm, MLP, residual. The projection's type goes on."""
        out = self.self_attn.o_proj(attended)
        hidden = (out + hidden).to(out.dtype)
        return hidden + self.mlp(self.post_attention_layernorm(hidden))


class LanguageModel(nn.Module):
    """The backbone's embedding table and its first `layers` blocks."""

    layers: Sequence[Block]

    def __init__(self, text: TextConfig, layers: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(text.vocab_size, text.hidden_size)
        blocks = (Block(text.hidden_size, text.intermediate_size, text) for _ in range(layers))
        self.layers = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.norm = RMSNorm(text.hidden_size, text.rms_norm_eps)

    def forward(self, prefix: Tensor, positions: Tensor, visible: Tensor) -> list[KeysAndValues]:
        """Each layer's keys and values over the prefix.

        prefix (batch, rows, width) embeddings; positions (batch, rows); visible (batch, rows, rows) bool.
        """
        return self.run(prefix, positions, visible)[0]

    def run(
        self, rows: Tensor, positions: Tensor, visible: Tensor, earlier: Sequence[KeysAndValues] | None = None
    ) -> tuple[list[KeysAndValues], Tensor]:
        """Each layer's keys and values over `rows`, and the states (batch, rows, width) that enter the last layer.

        earlier: of each layer the keys and values of rows before these; visible (batch, rows, earlier + rows) then.
        """
        hidden, cache = rows, []
        angles = rotary_angles(positions, self.layers[0].head_dim)
        before = [[seen] for seen in earlier] if earlier is not None else [[]] * len(self.layers)
        for layer, seen in zip(self.layers[:-1], before, strict=False):
            queries, *own = layer.queries_keys_values(hidden, angles)
            cache.append((own[0], own[1]))
            hidden = layer.finish(hidden, layer.attend(queries, [*seen, cache[-1]], visible))
        return [*cache, self.layers[-1].keys_and_values(hidden, angles)], hidden
