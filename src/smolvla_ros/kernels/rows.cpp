// What lies between two matrix products, row by row in one pass: memory is read once and written once.
//
// A row passes these stages, each left out where its pointer is null or its kind is none, in a float32 buffer of its
// own that stays in the first-level cache:
//
//   source          float32, bfloat16, or int32 products of two int8 matrices times the row's and the column's scale
//   + bias
//   activation      GELU by tanh, SiLU, or SwiGLU, which halves the row: silu(first half) * second half
//   + residual      and the sum kept for the next residual
//   normalisation   LayerNorm or RMSNorm
//   - offset        what int8 is taken about, usually the rows' mean
//   out             float32, bfloat16, or int8 with the row's scale: symmetric, the greatest magnitude becoming 127
//
// Beside out, the columns' sums over the rows may be asked for, which is how the caller finds an offset.
#if defined(__x86_64__)

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "scratch.hpp"
#include "simd.hpp"

namespace smolvla {

enum Type : int32_t { kFloat32 = 0, kBFloat16 = 1, kInt32 = 2, kInt8 = 3 };
enum Activation : int32_t { kNoActivation = 0, kGelu = 1, kSilu = 2, kSwiGlu = 3 };
enum Normalisation : int32_t { kNoNormalisation = 0, kLayerNorm = 1, kRmsNorm = 2 };

// A matrix whose rows lie `stride` elements apart, each row's elements next to each other.
struct Matrix {
  void* data;
  int64_t stride;
  int64_t type;
};

struct Rows {
  int64_t count, width;  // of the source; half of it after SwiGLU
  Matrix source;
  const float* row_scale;     // (count,), of int32 sources
  const float* column_scale;  // (width,), of int32 sources
  const float* bias;          // (width,)
  Matrix residual, sum;
  const float* weight;  // (width,), of the normalisation
  const float* shift;   // (width,), of LayerNorm
  const float* offset;  // (width,)
  Matrix out;
  float* out_scale;    // (count,), of int8 results
  float* column_sums;  // (threads, width): each thread's own rows
  int32_t activation, normalisation;
  float epsilon;
  int32_t threads;
};

namespace {

template <typename Element>
Element* row_of(const Matrix& matrix, int64_t row) {
  return static_cast<Element*>(matrix.data) + row * matrix.stride;
}

// Calls body(column, lanes) for each 16 columns; the lanes of whole vectors are known to be all when compiled.
template <typename Body>
inline void for_lanes(int64_t width, const Body& body) {
  int64_t column = 0;
  for (; column + kLanes <= width; column += kLanes) body(column, __mmask16{0xffff});
  if (column < width) body(column, first_lanes(width - column));
}

struct Plus {
  __m512 operator()(__m512 a, __m512 b) const { return _mm512_add_ps(a, b); }
};

struct Greater {
  __m512 operator()(__m512 a, __m512 b) const { return _mm512_max_ps(a, b); }
};

// The reduction of term(column, lanes) by add over the row, in four sums side by side: one would wait for itself.
template <typename Term, typename Add>
inline __m512 fold(int64_t width, __m512 start, const Term& term, const Add& add) {
  __m512 sums[4] = {start, start, start, start};
  int64_t column = 0;
  for (; column + 4 * kLanes <= width; column += 4 * kLanes) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sums[i] = add(sums[i], term(column + i * kLanes, __mmask16{0xffff}));
  }
  for (; column < width; column += kLanes) sums[0] = add(sums[0], term(column, first_lanes(width - column)));
  return add(add(sums[0], sums[1]), add(sums[2], sums[3]));
}

template <typename Element>
void read(const Element* from, const float* bias, float* row, int64_t width) {
  if (bias == nullptr) {
    for_lanes(width, [&](int64_t i, __mmask16 lanes) { store(row + i, load(from + i, lanes), lanes); });
  } else {
    for_lanes(width, [&](int64_t i, __mmask16 lanes) {
      store(row + i, _mm512_add_ps(load(from + i, lanes), load(bias + i, lanes)), lanes);
    });
  }
}

void read_products(const int32_t* from, float row_scale, const float* column_scale, const float* bias, float* row,
                   int64_t width) {
  const __m512 scale = _mm512_set1_ps(row_scale);
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    const __m512 x = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, from + i));
    const __m512 by = _mm512_mul_ps(scale, load(column_scale + i, lanes));
    const __m512 start = bias == nullptr ? _mm512_setzero_ps() : load(bias + i, lanes);
    store(row + i, _mm512_fmadd_ps(x, by, start), lanes);
  });
}

// Returns the width that is left.
int64_t activate(int32_t activation, float* row, int64_t width) {
  if (activation == kGelu) {
    for_lanes(width, [&](int64_t i, __mmask16 lanes) { store(row + i, gelu_tanh(load(row + i, lanes)), lanes); });
  } else if (activation == kSilu) {
    for_lanes(width, [&](int64_t i, __mmask16 lanes) {
      const __m512 x = load(row + i, lanes);
      store(row + i, times_sigmoid(x, x), lanes);
    });
  } else if (activation == kSwiGlu) {
    const int64_t inner = width / 2;
    for_lanes(inner, [&](int64_t i, __mmask16 lanes) {
      const __m512 gate = load(row + i, lanes);
      store(row + i, _mm512_mul_ps(times_sigmoid(gate, gate), load(row + inner + i, lanes)), lanes);
    });
    return inner;
  }
  return width;
}

template <typename Element>
void add(const Element* from, float* row, int64_t width) {
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    store(row + i, _mm512_add_ps(load(row + i, lanes), load(from + i, lanes)), lanes);
  });
}

// The mean first and the squares of what is left then, as the variance needs where the mean is large.
void normalise(const Rows& call, float* row, int64_t width) {
  __m512 mean = _mm512_setzero_ps();
  if (call.normalisation == kLayerNorm) {
    const auto value = [&](int64_t i, __mmask16 lanes) { return load(row + i, lanes); };
    const __m512 sum = fold(width, _mm512_setzero_ps(), value, Plus());
    mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / static_cast<float>(width));
  }
  const auto square = [&](int64_t i, __mmask16 lanes) {
    const __m512 rest = _mm512_maskz_sub_ps(lanes, load(row + i, lanes), mean);
    return _mm512_mul_ps(rest, rest);
  };
  const __m512 squares = fold(width, _mm512_setzero_ps(), square, Plus());
  const float variance = _mm512_reduce_add_ps(squares) / static_cast<float>(width);
  const __m512 inverse = _mm512_set1_ps(1.0F / std::sqrt(variance + call.epsilon));
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    const __m512 unit = _mm512_mul_ps(_mm512_sub_ps(load(row + i, lanes), mean), inverse);
    const __m512 shift = call.shift == nullptr ? _mm512_setzero_ps() : load(call.shift + i, lanes);
    store(row + i, _mm512_fmadd_ps(unit, load(call.weight + i, lanes), shift), lanes);
  });
}

// Returns the scale: int8 times it is about the row. A row of zeros has a scale above zero all the same.
float quantise(float* row, const float* offset, int8_t* to, int64_t width) {
  const auto magnitude = [&](int64_t i, __mmask16 lanes) {
    __m512 x = load(row + i, lanes);
    if (offset != nullptr) {
      x = _mm512_sub_ps(x, load(offset + i, lanes));
      store(row + i, x, lanes);
    }
    return _mm512_abs_ps(x);
  };
  const __m512 greatest = fold(width, _mm512_set1_ps(1e-30F), magnitude, Greater());
  const float scale = _mm512_reduce_max_ps(greatest) / 127.0F;
  const __m512 inverse = _mm512_set1_ps(1.0F / scale);
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    const __m512i nearest = _mm512_cvtps_epi32(_mm512_mul_ps(load(row + i, lanes), inverse));
    _mm512_mask_cvtsepi32_storeu_epi8(to + i, lanes, nearest);
  });
  return scale;
}

template <typename Element>
void write(const float* row, const float* offset, Element* to, int64_t width) {
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    const __m512 x = load(row + i, lanes);
    store(to + i, offset == nullptr ? x : _mm512_sub_ps(x, load(offset + i, lanes)), lanes);
  });
}

void write(const float* row, const float* offset, const Matrix& to, int64_t r, int64_t width) {
  if (to.type == kFloat32) {
    write(row, offset, row_of<float>(to, r), width);
  } else {
    write(row, offset, row_of<BFloat16>(to, r), width);
  }
}

void pass(const Rows& call, int64_t r, float* row, float* column_sums) {
  if (call.source.type == kInt32) {
    read_products(row_of<int32_t>(call.source, r), call.row_scale[r], call.column_scale, call.bias, row, call.width);
  } else if (call.source.type == kBFloat16) {
    read(row_of<BFloat16>(call.source, r), call.bias, row, call.width);
  } else {
    read(row_of<float>(call.source, r), call.bias, row, call.width);
  }
  const int64_t width = activate(call.activation, row, call.width);
  if (call.residual.data != nullptr && call.residual.type == kFloat32) {
    add(row_of<float>(call.residual, r), row, width);
  } else if (call.residual.data != nullptr) {
    add(row_of<BFloat16>(call.residual, r), row, width);
  }
  if (call.sum.data != nullptr) write(row, nullptr, call.sum, r, width);
  if (call.normalisation != kNoNormalisation) normalise(call, row, width);
  if (column_sums != nullptr) add(row, column_sums, width);
  if (call.out.data == nullptr) return;
  if (call.out.type == kInt8) {
    call.out_scale[r] = quantise(row, call.offset, row_of<int8_t>(call.out, r), width);
  } else {
    write(row, call.offset, call.out, r, width);
  }
}

}  // namespace
}  // namespace smolvla

extern "C" __attribute__((visibility("default"))) void smolvla_rows(const smolvla::Rows* call) {
  const int64_t width = call->activation == smolvla::kSwiGlu ? call->width / 2 : call->width;
#pragma omp parallel num_threads(static_cast<int>(std::min<int64_t>(call->threads, call->count)))
  {
    static thread_local smolvla::Scratch scratch;
    float* row = scratch.room_for<float>(call->width);
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    float* column_sums = call->column_sums == nullptr ? nullptr : call->column_sums + thread * width;
    const int64_t first = call->count * thread / threads, end = call->count * (thread + 1) / threads;
    for (int64_t r = first; r < end; ++r) smolvla::pass(*call, r, row, column_sums);
  }
}

#endif
