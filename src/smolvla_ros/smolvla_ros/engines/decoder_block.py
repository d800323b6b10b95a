"""A Llama block of the language model or the expert in an engine's linear layers: the same as model.language.Block."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from smolvla_ros.engines.cpu_kernels import grouped_attention, rope
from smolvla_ros.engines.rows import LinearMaker, RowNorm, Rows
from smolvla_ros.model.attention import split_heads
from smolvla_ros.model.language import Block, KeysAndValues
from smolvla_ros.model.rope import Angles


class PackedBlock(nn.Module):
    """The methods of Block, hidden states in float32. `rows`: of its inputs, about.

    crosses: keys and values come from another layer's. last: only its keys and values are asked for.
    """

    def __init__(self, block: Block, make_linear: LinearMaker, rows: int, crosses: bool, last: bool) -> None:
        super().__init__()
        heads, mlp = block.self_attn, block.mlp
        self.head_dim = block.head_dim
        self.query_heads = heads.q_proj.out_features // block.head_dim
        self.groups = heads.k_proj.out_features // block.head_dim
        if last:
            own = [heads.k_proj, heads.v_proj]
        elif crosses:
            own = [heads.q_proj]
            self.k_proj, self.v_proj = make_linear((heads.k_proj,), rows), make_linear((heads.v_proj,), rows)
        else:
            own = [heads.q_proj, heads.k_proj, heads.v_proj]
        self.projections = make_linear(own, rows)
        self.input_layernorm = RowNorm(block.input_layernorm, self.projections)
        if last:
            return
        self.o_proj = make_linear((heads.o_proj,), rows)
        self.gate_and_up = make_linear((mlp.gate_proj, mlp.up_proj), rows, "swiglu")
        self.down_proj = make_linear((mlp.down_proj,), rows)
        self.post_attention_layernorm = RowNorm(block.post_attention_layernorm, self.gate_and_up)

    def queries(self, hidden: Tensor, angles: Angles) -> Tensor:
        return rope(self._projected(hidden), *angles)

    def keys_and_values(self, hidden: Tensor, angles: Angles) -> KeysAndValues:
        heads = self._projected(hidden)
        return rope(heads[:, : self.groups], *angles), heads[:, self.groups :]

    def queries_keys_values(self, hidden: Tensor, angles: Angles) -> tuple[Tensor, Tensor, Tensor]:
        heads, queries, keys = self._projected(hidden), self.query_heads, self.query_heads + self.groups
        rope(heads[:, :keys], *angles)
        return heads[:, :queries], heads[:, queries:keys], heads[:, keys:]

    def project_memory(self, keys: Tensor, values: Tensor) -> KeysAndValues:
        flat = (Rows(side.transpose(1, 2).flatten(2)) for side in (keys, values))
        projected = (linear(side).values for linear, side in zip((self.k_proj, self.v_proj), flat, strict=True))
        new_keys, new_values = (split_heads(side, self.head_dim) for side in projected)
        return new_keys, new_values

    def attend(self, queries: Tensor, seen: Sequence[KeysAndValues], visible: Tensor | None) -> Tensor:
        return grouped_attention(queries, seen, visible)

    def finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        hidden, normed = self.post_attention_layernorm.of_sum(hidden.float(), self.o_proj(Rows(attended)).values)
        return hidden.add_(self.down_proj(self.gate_and_up(normed)).values)

    def _projected(self, hidden: Tensor) -> Tensor:
        """Heads of all projections, one kind after the other: (batch, heads, length, head_dim)."""
        return split_heads(self.projections(self.input_layernorm(hidden.float())).values, self.head_dim)
