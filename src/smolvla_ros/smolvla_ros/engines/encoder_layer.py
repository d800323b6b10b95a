"""A layer of the vision encoder in an engine's linear layers: the same function as model.vision.EncoderLayer."""

from __future__ import annotations

from torch import Tensor, nn

from smolvla_ros.engines.cpu_kernels import attention
from smolvla_ros.engines.rows import LinearMaker, RowNorm, Rows
from smolvla_ros.model.attention import split_heads
from smolvla_ros.model.vision import EncoderLayer


class PackedEncoderLayer(nn.Module):
    """Hidden states (batch, patches, width), float32 between layers whatever the linear layers compute in."""

    def __init__(self, layer: EncoderLayer, make_linear: LinearMaker, rows: int) -> None:
        super().__init__()
        heads, mlp = layer.self_attn, layer.mlp
        self.head_dim = heads.head_dim
        self.queries_keys_values = make_linear((heads.q_proj, heads.k_proj, heads.v_proj), rows)
        self.out_proj = make_linear((heads.out_proj,), rows)
        self.fc1, self.fc2 = make_linear((mlp.fc1,), rows, "gelu_tanh"), make_linear((mlp.fc2,), rows)
        self.layer_norm1 = RowNorm(layer.layer_norm1, self.queries_keys_values)
        self.layer_norm2 = RowNorm(layer.layer_norm2, self.fc1)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = hidden.float()
        projected = self.queries_keys_values(self.layer_norm1(hidden)).values
        attended = attention(*(split_heads(part, self.head_dim) for part in projected.chunk(3, dim=-1)))
        hidden, normed = self.layer_norm2.of_sum(hidden, self.out_proj(Rows(attended)).values)
        return hidden.add_(self.fc2(self.fc1(normed)).values)
