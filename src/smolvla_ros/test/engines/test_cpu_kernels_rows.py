"""The row and rotation kernels against the same in float64; each stage alone and all of them in one pass."""

from __future__ import annotations

import pytest
import torch
from smolvla_ros.engines import cpu_kernels
from smolvla_ros.engines.cpu_kernels import Norm, Products, library
from torch import Tensor
from torch.nn import functional

KINDS = (torch.float32, torch.bfloat16)
SHAPES = [(1, 1), (3, 7), (50, 720), (7, 16), (257, 768), (2, 3071)]
RELATIVE = {torch.float32: 3e-6, torch.bfloat16: 8e-3}


@pytest.fixture(params=["kernel", "torch"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs on the kernels and on what stands in for them."""
    if request.param == "torch":
        monkeypatch.setattr(library, "_supported", set())
    elif not cpu_kernels.available(torch.bfloat16):
        pytest.skip("no kernels for this processor, or built without a compiler")
    return request.param


def random(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape))).to(dtype)


def products(rows: int, columns: int) -> Products:
    sums = torch.randint(-50_000, 50_000, (rows, columns), generator=torch.Generator().manual_seed(rows))
    return Products(sums.int(), 1e-3 * random(rows).abs(), 0.1 * random(columns).abs())


def exact(source: Products) -> Tensor:
    return source.sums.double() * source.row_scale.double()[:, None] * source.column_scale.double()


def assert_close(found: Tensor, expected: Tensor, dtype: torch.dtype = torch.float32) -> None:
    """Rounding of inputs of the size of one, so absolute as well as relative."""
    torch.testing.assert_close(found.double(), expected.double(), atol=RELATIVE[dtype], rtol=RELATIVE[dtype])


def assert_quantised(found: tuple[Tensor, Tensor], expected: Tensor) -> None:
    """No value is further off than half a step, and the greatest of a row is 127."""
    values, scale = found
    assert values.dtype == torch.int8
    assert scale.shape == (expected.flatten(0, -2).shape[0],)
    back = values.flatten(0, -2).double() * scale.double()[:, None]
    step = expected.double().flatten(0, -2).abs().amax(1, keepdim=True) / 127
    assert bool(((back - expected.flatten(0, -2)).abs() <= 0.5001 * step + 1e-30).all())
    assert bool((values.flatten(0, -2).abs().amax(1) == 127)[step[:, 0] > 0].all())


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("about_mean", [False, True])
def test_quantise_rows(dtype: torch.dtype, shape: tuple[int, int], about_mean: bool) -> None:
    x = random(*shape, dtype=dtype)
    offset = random(shape[1], seed=1) if about_mean else None
    assert_quantised(cpu_kernels.quantise_rows(x, offset), x.double() if offset is None else x.double() - offset)


def test_a_row_of_zeros_is_zeros_with_a_finite_scale() -> None:
    values, scale = cpu_kernels.quantise_rows(torch.zeros(2, 40))
    assert not values.any()
    assert bool((scale > 0).all())
    assert bool(torch.isfinite(scale).all())


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("shape", SHAPES[2:])
def test_normalised_and_quantised(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    x, weight, bias = 3 + random(*shape, dtype=dtype), random(shape[1]), random(shape[1], seed=1)
    layer = functional.layer_norm(x.double(), shape[1:], weight.double(), bias.double(), 1e-6)
    assert_quantised(cpu_kernels.layernorm_quantise_rows(x, weight, bias, 1e-6), layer)
    rms = functional.rms_norm(x.double(), shape[1:], weight.double(), 1e-5)
    assert_quantised(cpu_kernels.rmsnorm_quantise_rows(x, weight, 1e-5), rms)
    found = cpu_kernels.rmsnorm(x, weight, 1e-5)
    assert found.dtype == dtype
    assert_close(found, rms, dtype)


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", ["none", "gelu_tanh", "silu"])
def test_dequantise(to: torch.dtype, shape: tuple[int, int], activation: str) -> None:
    source, bias = products(*shape), random(shape[1])
    residual = random(*shape, dtype=to, seed=2)
    x = exact(source) + bias
    if activation != "none":
        x = functional.gelu(x, approximate="tanh") if activation == "gelu_tanh" else functional.silu(x)
    scales = source.row_scale, source.column_scale
    found = cpu_kernels.dequantise(source.sums, *scales, bias, activation, residual, to)  # type: ignore[arg-type]
    assert found.dtype == to
    assert_close(found, x + residual, to)
    if to == torch.float32:
        found = cpu_kernels.dequantise_quantise(source.sums, *scales, bias, activation)  # type: ignore[arg-type]
        assert_quantised(found, x)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("rows", "inner"), [(1, 1), (50, 2048), (3, 37)])
def test_swiglu(dtype: torch.dtype, rows: int, inner: int) -> None:
    gate_up = 3 * random(rows, 2 * inner, dtype=dtype)
    gate, up = gate_up.double().chunk(2, dim=1)
    assert_close(cpu_kernels.silu_mul(gate_up), functional.silu(gate) * up, dtype)
    source = products(rows, 2 * inner)
    gate, up = exact(source).chunk(2, dim=1)
    found = cpu_kernels.dequantise_swiglu_quantise(source.sums, source.row_scale, source.column_scale)
    assert_quantised(found, functional.silu(gate) * up)


@pytest.mark.parametrize("activation", ["gelu_tanh", "silu"])
def test_activations_far_out_stay_finite(activation: str) -> None:
    x = torch.tensor([[-1e30, -1e4, -90.0, -20.0, -0.0, 0.0, 20.0, 90.0, 1e4, 1e30]])
    found = cpu_kernels.pass_rows(x, activation=activation).out  # type: ignore[arg-type]
    expected = torch.where(x > 0, x, torch.zeros_like(x))
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_all_stages_in_one_pass(dtype: torch.dtype, rows: int) -> None:
    """What follows an int8 product in a transformer layer up to the next one's input."""
    source, width = products(rows, 200), 200
    bias, weight, shift, offset = (random(width, seed=i) for i in range(4))
    residual = random(2 * rows, width, dtype=dtype)[::2]
    passed = cpu_kernels.pass_rows(
        source,
        bias=bias,
        residual=residual,
        keep_sum=True,
        norm=Norm(weight, 1e-6, shift, "layer"),
        offset=offset,
        mean=True,
        to=torch.int8,
    )
    total = exact(source) + bias + residual
    normed = functional.layer_norm(total, (width,), weight.double(), shift.double(), 1e-6)
    assert passed.sum is not None
    assert passed.mean is not None
    assert passed.scale is not None
    assert passed.sum.dtype == dtype
    assert_close(passed.sum, total, dtype)
    assert_close(passed.mean, normed.mean(0))
    assert_quantised((passed.out, passed.scale), normed - offset)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("batch", "heads", "rows", "head_dim"), [(1, 20, 50, 64), (3, 2, 7, 20), (2, 5, 241, 64)])
@pytest.mark.parametrize("shared", [True, False])
def test_rope_in_place(dtype: torch.dtype, batch: int, heads: int, rows: int, head_dim: int, shared: bool) -> None:
    fused = random(batch, rows, (heads + 3) * head_dim, dtype=dtype)
    before = fused.clone()
    x = fused.unflatten(-1, (-1, head_dim)).transpose(1, 2)[:, :heads]
    angles = random(1 if shared else batch, 1, rows, head_dim // 2)
    first, second = x.double().chunk(2, dim=-1)
    cosines, sines = angles.cos(), angles.sin()
    expected = torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)
    assert cpu_kernels.rope(x, cosines, sines) is x
    assert_close(x, expected, dtype)
    assert torch.equal(fused[..., heads * head_dim :], before[..., heads * head_dim :])


def test_refusals_name_the_argument_and_both_sides() -> None:
    x = random(4, 32)
    with pytest.raises(ValueError, match=r"offset: expected contiguous \(32,\) torch.float32, found \(31,\)"):
        cpu_kernels.quantise_rows(x, random(31))
    with pytest.raises(
        ValueError, match=r"norm.weight: expected contiguous \(32,\) torch.float32, found .* torch.bfloat16"
    ):
        cpu_kernels.rmsnorm(x, random(32, dtype=torch.bfloat16), 1e-6)
    with pytest.raises(ValueError, match=r"residual: expected \(4, 32\), found \(4, 31\)"):
        cpu_kernels.pass_rows(x, residual=x[:, :31])
    with pytest.raises(ValueError, match=r"columns: expected an even number for swiglu, found 31"):
        cpu_kernels.silu_mul(x[:, :31])
    with pytest.raises(ValueError, match=r"source: expected float32, bfloat16 or Products, found torch.float64"):
        cpu_kernels.quantise_rows(x.double())
    with pytest.raises(ValueError, match=r"cosines: expected \('batch or 1', 1, 4, 16\), found \(1, 1, 4, 32\)"):
        cpu_kernels.rope(x[None, None], *2 * [random(1, 1, 4, 32)])


@pytest.mark.parametrize(("rows", "width"), [(1, 1), (5, 31), (64, 768), (7, 3072), (33, 40)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_matrix_vector_keeps_float32_sums(rows: int, width: int, with_bias: bool) -> None:
    weight, x = random(rows, width).bfloat16(), random(width)
    bias = random(rows) if with_bias else None
    expected = weight.double() @ x.double() + (0 if bias is None else bias.double())
    found = cpu_kernels.matrix_vector(weight, x, bias)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
