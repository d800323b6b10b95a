"""Kernels for x86-64 with AVX-512 where torch's own are slow, called on torch tensors; for inference, not for training.

The package builds them from kernels/*.cpp where it finds a C++ compiler. Every function checks its arguments, raises
ValueError with what it expected and found, and computes with torch instead where `available` says no, so that callers
need not ask. Results are the same within rounding. torch.set_num_threads rules both: torch's thread pool is shared.

`python -m smolvla_ros.engines.cpu_kernels` prints each kernel's rate beside torch's.
"""

from smolvla_ros.engines.cpu_kernels.attention import attention, grouped_attention
from smolvla_ros.engines.cpu_kernels.library import available
from smolvla_ros.engines.cpu_kernels.matvec import matrix_vector
from smolvla_ros.engines.cpu_kernels.rope import rope
from smolvla_ros.engines.cpu_kernels.rows import (
    Norm,
    Passed,
    Products,
    dequantise,
    dequantise_quantise,
    dequantise_swiglu_quantise,
    layernorm_quantise_rows,
    pass_rows,
    quantise_rows,
    rmsnorm,
    rmsnorm_quantise_rows,
    silu_mul,
)

__all__ = [
    "Norm",
    "Passed",
    "Products",
    "attention",
    "available",
    "dequantise",
    "dequantise_quantise",
    "dequantise_swiglu_quantise",
    "grouped_attention",
    "layernorm_quantise_rows",
    "matrix_vector",
    "pass_rows",
    "quantise_rows",
    "rmsnorm",
    "rmsnorm_quantise_rows",
    "rope",
    "silu_mul",
]
