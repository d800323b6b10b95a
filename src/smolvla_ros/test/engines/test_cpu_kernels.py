"""Kernels against torch in float64, over shapes that leave part of a block, a vector or a thread idle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from smolvla_ros.engines import cpu_kernels
from smolvla_ros.engines.cpu_kernels import library
from torch import Tensor

KINDS = (torch.float32, torch.bfloat16)
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 1e-2}


@pytest.fixture(params=["kernel", "torch"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs on the kernels and on what stands in for them."""
    if request.param == "torch":
        monkeypatch.setattr(library, "_supported", set())
    elif not cpu_kernels.available(torch.bfloat16):
        pytest.skip("no kernels for this processor, or built without a compiler")
    return request.param


def random(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def exact_attention(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None) -> Tensor:
    repeats = queries.shape[1] // keys.shape[1]
    keys, values = (x.double().repeat_interleave(repeats, dim=1) for x in (keys, values))
    scores = queries.double() @ keys.transpose(2, 3) * queries.shape[3] ** -0.5
    if visible is not None:
        scores = scores.masked_fill(~visible[:, None], -1e300)
    return (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)


def split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(
    ("batch", "heads", "length", "head_dim"),
    [
        (2, 12, 1024, 64),
        (1, 1, 1, 64),
        (3, 2, 49, 64),
        (2, 3, 130, 16),
        (1, 2, 65, 80),
        (1, 1, 17, 128),
        (1, 2, 48, 96),
    ],
)
def test_attention_over_slices_of_a_fused_projection(
    path: str, dtype: torch.dtype, batch: int, heads: int, length: int, head_dim: int
) -> None:
    fused = random(batch, length, 3 * heads * head_dim, dtype=dtype)
    q, k, v = (split(part, heads) for part in fused.chunk(3, dim=-1))
    found = cpu_kernels.attention(q, k, v)
    assert found.shape == (batch, length, heads * head_dim)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), exact_attention(q, k, v), atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("spread", [30.0, 1e3])
def test_scores_far_apart_neither_overflow_nor_lose_the_greatest(path: str, dtype: torch.dtype, spread: float) -> None:
    q, k, v = (random(1, 2, 33 + i, 64, dtype=dtype) for i in (0, 0, 0))
    q = (spread * q.float()).to(dtype)
    found = cpu_kernels.attention(q, k, v)
    assert torch.isfinite(found).all()
    tolerance = TOLERANCE[dtype] * max(1.0, spread / 10)  # a score's rounding grows with it
    torch.testing.assert_close(found.double(), exact_attention(q, k, v), atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("masks", [None, 1, "batch"])
@pytest.mark.parametrize(("batch", "rows", "cached"), [(1, 50, 191), (2, 50, 177), (3, 1, 5), (2, 7, 64)])
def test_grouped_attention_over_a_cache_and_its_own(
    path: str, dtype: torch.dtype, masks: object, batch: int, rows: int, cached: int
) -> None:
    q = split(random(batch, rows, 15 * 64, dtype=dtype), 15)
    parts = [
        (split(random(batch, n, 5 * 64, dtype=dtype), 5), split(random(batch, n, 1 + 5 * 64, dtype=dtype)[..., 1:], 5))
        for n in (cached, rows)
    ]
    visible = None
    if masks is not None:
        seen = random(batch if masks == "batch" else 1, 1, cached, dtype=torch.float32).expand(-1, rows, -1) > -1
        causal = torch.ones(rows, rows, dtype=torch.bool).tril().expand(len(seen), -1, -1)
        visible = torch.cat([seen, causal], dim=2)
    found = cpu_kernels.grouped_attention(q, parts, visible)
    keys, values = (torch.cat(part, dim=2) for part in zip(*parts, strict=True))
    torch.testing.assert_close(found.double(), exact_attention(q, keys, values, visible), atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("dtype", KINDS)
def test_a_query_that_sees_nothing_gets_the_mean_of_the_values(path: str, dtype: torch.dtype) -> None:
    q, k, v = (random(1, 3, 20, 32, dtype=dtype) for _ in range(3))
    visible = torch.ones(1, 20, 20, dtype=torch.bool)
    visible[:, 4] = False
    found = cpu_kernels.grouped_attention(q, [(k, v)], visible)[:, 4]
    torch.testing.assert_close(found.double(), v.double().mean(2).flatten(1), atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("head_dim", [8, 20, 160])
def test_heads_that_no_kernel_is_made_for_are_left_to_torch(path: str, dtype: torch.dtype, head_dim: int) -> None:
    q, k, v = (random(2, 3, 21, head_dim, dtype=dtype) for _ in range(3))
    found = cpu_kernels.attention(q, k, v)
    torch.testing.assert_close(found.double(), exact_attention(q, k, v), atol=4 * TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    q, k, v = (random(2, 3, 100, 64, dtype=torch.float32) for _ in range(3))
    expected, before = cpu_kernels.attention(q, k, v), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(cpu_kernels.attention(q, k, v), expected)
    finally:
        torch.set_num_threads(before)


def test_refusals_name_the_argument_and_both_sides(path: str) -> None:
    q = random(1, 4, 10, 64, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"keys: expected torch.float32, found torch.bfloat16"):
        cpu_kernels.attention(q, q.bfloat16(), q)
    with pytest.raises(ValueError, match=r"values: expected \(1, 4, 10, 64\), found \(1, 4, 9, 64\)"):
        cpu_kernels.attention(q, q, q[:, :, :9])
    with pytest.raises(ValueError, match=r"heads: expected a multiple of 3 groups, found 4"):
        cpu_kernels.attention(q, q[:, :3], q[:, :3])
    with pytest.raises(ValueError, match=r"queries: expected a last dimension of stride 1"):
        cpu_kernels.attention(q.transpose(2, 3), q, q)
    with pytest.raises(ValueError, match=r"visible: expected \('batch or 1', 10, 10\), found \(1, 10, 9\)"):
        cpu_kernels.grouped_attention(q, [(q, q)], torch.ones(1, 10, 9, dtype=torch.bool))


@pytest.mark.skipif(not cpu_kernels.available(), reason="no kernels for this processor, or built without a compiler")
def test_threads_are_torchs_own() -> None:
    """Two OpenMP runtimes in one process would each keep a pool of threads that spin against the other's."""
    x = random(1, 2, 64, 64, dtype=torch.float32)
    cpu_kernels.attention(x, x, x)
    runtimes = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libgomp" in line}
    assert len(runtimes) == 1
