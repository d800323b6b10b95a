"""Each kernel beside torch's own operators on the shapes of SmolVLA's inference: `python -m` this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from smolvla_ros.engines import cpu_kernels
from smolvla_ros.engines.cpu_kernels import Norm, Products
from smolvla_ros.engines.cpu_kernels.library import FEATURES

SECONDS = 1.0  # for each side of a comparison
PATCHES, WIDTH, INNER = 2048, 768, 3072  # rows of two cameras' images, vision encoder
ACTIONS, EXPERT, EXPERT_INNER = 50, 720, 2048


class Case(NamedTuple):
    name: str
    kernel: Callable[[], object]
    by_torch: Callable[[], object]
    work: float  # floating point operations, or bytes read and written
    unit: str


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attention_cases(dtype: torch.dtype) -> Iterator[Case]:
    q, k, v = (split(part, 12) for part in random(2, 1024, 3 * WIDTH, dtype=dtype).chunk(3, dim=-1))
    work = 4 * q.numel() * 1024
    yield Case(
        "attention 2x12x1024x64",
        lambda: cpu_kernels.attention(q, k, v),
        lambda: functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2),
        work,
        "GFLOP/s",
    )
    actions = split(random(1, ACTIONS, 15 * 64, dtype=dtype), 15)
    seen = [tuple(split(random(1, n, 5 * 64, dtype=dtype), 5) for _ in range(2)) for n in (177, ACTIONS)]
    visible = torch.cat([torch.ones(1, ACTIONS, 177, dtype=torch.bool), torch.ones(1, ACTIONS, ACTIONS).tril() > 0], 2)

    def by_torch() -> Tensor:
        keys, values = (torch.cat(parts, dim=2) for parts in zip(*seen, strict=True))
        masked = functional.scaled_dot_product_attention(actions, keys, values, visible[:, None], enable_gqa=True)
        return masked.transpose(1, 2).flatten(2)

    yield Case(
        "grouped_attention 15/5x50x227x64",
        lambda: cpu_kernels.grouped_attention(actions, seen, visible),  # type: ignore[arg-type]
        by_torch,
        4 * actions.numel() * 227,
        "GFLOP/s",
    )


def row_cases(dtype: torch.dtype) -> Iterator[Case]:
    x, wide = random(PATCHES, WIDTH, dtype=dtype), random(PATCHES, INNER, dtype=dtype)
    weight, bias = random(WIDTH), random(WIDTH)
    size = x.element_size()

    def quantise(y: Tensor) -> tuple[Tensor, Tensor]:
        scale = y.abs().amax(dim=1, keepdim=True).clamp_min(1e-30) / 127
        return (y / scale).round_().to(torch.int8), scale

    def norm(y: Tensor, kind: str) -> Tensor:
        if kind == "layer":
            return functional.layer_norm(y.float(), y.shape[-1:], weight, bias, 1e-6)
        return functional.rms_norm(y.float(), y.shape[-1:], weight[: y.shape[-1]], 1e-6)

    yield Case(
        f"quantise_rows {PATCHES}x{INNER}",
        lambda: cpu_kernels.quantise_rows(wide),
        lambda: quantise(wide),
        wide.numel() * (size + 1),
        "GB/s",
    )
    yield Case(
        f"layernorm_quantise_rows {PATCHES}x{WIDTH}",
        lambda: cpu_kernels.layernorm_quantise_rows(x, weight, bias, 1e-6),
        lambda: quantise(norm(x, "layer")),
        x.numel() * (size + 1),
        "GB/s",
    )
    sums = torch.randint(-100_000, 100_000, (PATCHES, INNER), dtype=torch.int32)
    rows, columns, shift = random(PATCHES).abs() * 1e-3, random(INNER).abs() * 1e-2, random(INNER)

    def scaled(y: Tensor) -> Tensor:
        return y.float().mul_(rows[:, None]).mul_(columns[: y.shape[1]]).add_(shift[: y.shape[1]])

    narrow = sums[:, :WIDTH].contiguous()
    yield Case(
        f"dequantise, residual {PATCHES}x{WIDTH}",
        lambda: cpu_kernels.dequantise(narrow, rows, columns[:WIDTH], shift[:WIDTH], residual=x, to=dtype),
        lambda: (scaled(narrow) + x).to(dtype),
        narrow.numel() * (4 + 2 * size),
        "GB/s",
    )
    products = Products(narrow, rows, columns[:WIDTH])
    yield Case(
        "  and layernorm, mean, sum kept",
        lambda: cpu_kernels.pass_rows(
            products,
            bias=shift[:WIDTH],
            residual=x,
            keep_sum=True,
            norm=Norm(weight, 1e-6, bias, "layer"),
            mean=True,
            to=dtype,
        ),
        lambda: norm((scaled(narrow) + x).to(dtype), "layer").to(dtype).mean(0),
        narrow.numel() * (4 + 3 * size),
        "GB/s",
    )
    yield Case(
        f"dequantise gelu {PATCHES}x{INNER}",
        lambda: cpu_kernels.dequantise(sums, rows, columns, shift, "gelu_tanh", to=dtype),
        lambda: functional.gelu(scaled(sums), approximate="tanh").to(dtype),
        sums.numel() * (4 + size),
        "GB/s",
    )
    if dtype == torch.float32:
        yield Case(
            f"dequantise_quantise gelu {PATCHES}x{INNER}",
            lambda: cpu_kernels.dequantise_quantise(sums, rows, columns, shift),
            lambda: quantise(functional.gelu(scaled(sums), approximate="tanh")),
            sums.numel() * 5,
            "GB/s",
        )

        def swiglu_by_torch() -> tuple[Tensor, Tensor]:
            gate, up = scaled(sums).chunk(2, dim=1)
            return quantise(functional.silu(gate) * up)

        yield Case(
            f"dequantise_swiglu_quantise {PATCHES}x{INNER}",
            lambda: cpu_kernels.dequantise_swiglu_quantise(sums, rows, columns),
            swiglu_by_torch,
            sums.numel() * 4.5,
            "GB/s",
        )
    actions = random(ACTIONS, EXPERT, dtype=dtype)
    yield Case(
        f"rmsnorm {ACTIONS}x{EXPERT}",
        lambda: cpu_kernels.rmsnorm(actions, weight[:EXPERT], 1e-6),
        lambda: norm(actions, "rms").to(dtype),
        2 * actions.numel() * size,
        "GB/s",
    )
    gate_up = random(ACTIONS, 2 * EXPERT_INNER, dtype=dtype)

    def silu_mul_by_torch() -> Tensor:
        gate, up = gate_up.chunk(2, dim=1)
        return functional.silu(gate) * up

    yield Case(
        f"silu_mul {ACTIONS}x{2 * EXPERT_INNER}",
        lambda: cpu_kernels.silu_mul(gate_up),
        silu_mul_by_torch,
        1.5 * gate_up.numel() * size,
        "GB/s",
    )
    heads = split(random(1, ACTIONS, 20 * 64, dtype=dtype), 20)
    cosines, sines = random(1, 1, ACTIONS, 32).cos(), random(1, 1, ACTIONS, 32).sin()

    def rope_by_torch() -> Tensor:
        first, second = heads.float().chunk(2, dim=-1)
        return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1).to(dtype)

    yield Case(
        f"rope 20x{ACTIONS}x64",
        lambda: cpu_kernels.rope(heads, cosines, sines),
        rope_by_torch,
        2 * heads.numel() * size,
        "GB/s",
    )


def fastest_s(case: Case) -> tuple[float, float]:
    """Seconds of each side's fastest call, turn by turn so that a busy host's noise falls on both."""
    fastest, until = [float("inf"), float("inf")], perf_counter() + 2 * SECONDS
    while perf_counter() < until:
        for side, run in enumerate((case.kernel, case.by_torch)):
            started = perf_counter()
            run()
            fastest[side] = min(fastest[side], perf_counter() - started)
    return fastest[0], fastest[1]


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, the fastest of the calls in {SECONDS:g} s")
    for dtype in FEATURES:
        print(f"{str(dtype).removeprefix('torch.'):42}{'kernel':>11}{'torch':>11}{'ratio':>7}{'kernel':>14}")
        if not cpu_kernels.available(dtype):
            print("  not available: no compiler when the package was built, or not this processor")
            continue
        for case in (*attention_cases(dtype), *row_cases(dtype)):
            ours, theirs = fastest_s(case)
            rate = f"{case.work / ours / 1e9:.0f} {case.unit}"
            print(f"  {case.name:40}{1e3 * ours:8.3f} ms{1e3 * theirs:8.3f} ms{theirs / ours:6.1f}x{rate:>14}")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
