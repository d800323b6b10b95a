// Rotary position embedding in place: the two halves of a head's values are the pairs' first and second numbers.
#if defined(__x86_64__)

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "simd.hpp"

namespace smolvla {

// x (batch, heads, rows, head_dim); cosines and sines (batch or 1, rows, head_dim / 2) float32. Strides in elements.
struct Rotation {
  void* x;
  int64_t x_batch, x_head, x_row;
  const float* cosines;
  const float* sines;
  int64_t angle_batch, angle_row;
  int64_t batch, heads, rows, head_dim;
  int32_t bfloat16;
  int32_t threads;
};

namespace {

template <typename Element>
void rotate(const Rotation& call) {
  const int64_t places = call.batch * call.rows, half = call.head_dim / 2;
#pragma omp parallel for num_threads(static_cast<int>(std::min<int64_t>(call.threads, places))) schedule(static)
  for (int64_t place = 0; place < places; ++place) {
    const int64_t batch = place / call.rows, row = place % call.rows;
    const int64_t angle = batch * call.angle_batch + row * call.angle_row;
    for (int64_t head = 0; head < call.heads; ++head) {
      Element* x = static_cast<Element*>(call.x) + batch * call.x_batch + head * call.x_head + row * call.x_row;
      for (int64_t i = 0; i < half; i += kLanes) {
        const __mmask16 lanes = first_lanes(half - i);
        const __m512 cosine = load(call.cosines + angle + i, lanes), sine = load(call.sines + angle + i, lanes);
        const __m512 first = load(x + i, lanes), second = load(x + half + i, lanes);
        store(x + i, _mm512_fmsub_ps(first, cosine, _mm512_mul_ps(second, sine)), lanes);
        store(x + half + i, _mm512_fmadd_ps(second, cosine, _mm512_mul_ps(first, sine)), lanes);
      }
    }
  }
}

}  // namespace
}  // namespace smolvla

extern "C" __attribute__((visibility("default"))) void smolvla_rotate(const smolvla::Rotation* call) {
  call->bfloat16 != 0 ? smolvla::rotate<smolvla::BFloat16>(*call) : smolvla::rotate<float>(*call);
}

#endif
