// One vector through bfloat16 weights with float32 sums: bound by memory, so the weights are read once, in order.
#if defined(__x86_64__)

#include <omp.h>

#include <cstdint>

#include "simd.hpp"

namespace smolvla {

// out (rows,) = weight (rows, width) bfloat16, contiguous, times x (width,) float32, plus bias (rows,) if there is one.
struct MatrixVector {
  const BFloat16* weight;
  const float* x;
  const float* bias;
  float* out;
  int64_t rows, width;
  int32_t threads;
};

namespace {

float dot(const BFloat16* weight, const float* x, int64_t width) {
  __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + 2 * kLanes <= width; i += 2 * kLanes) {
    even = _mm512_fmadd_ps(load(weight + i), load(x + i), even);
    odd = _mm512_fmadd_ps(load(weight + i + kLanes), load(x + i + kLanes), odd);
  }
  for (; i < width; i += kLanes) {
    const __mmask16 lanes = first_lanes(width - i);
    even = _mm512_fmadd_ps(load(weight + i, lanes), load(x + i, lanes), even);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

}  // namespace
}  // namespace smolvla

extern "C" __attribute__((visibility("default"))) void smolvla_matrix_vector(const smolvla::MatrixVector* call) {
#pragma omp parallel for num_threads(call->threads) schedule(static)
  for (int64_t row = 0; row < call->rows; ++row) {
    const float product = smolvla::dot(call->weight + row * call->width, call->x, call->width);
    call->out[row] = call->bias == nullptr ? product : product + call->bias[row];
  }
}

#endif
