// Sixteen lanes at a time: the two element types, and the few functions that the kernels share.
//
// Include it after the standard headers: everything below it is compiled for AVX-512 whatever the compiler's flags say,
// so that one library serves every x86-64 processor; smolvla_kernels_available() tells the caller what may be called.
#pragma once

// GCC 12's own intrinsics read a variable that they leave undefined on purpose, and warn of it where they are inlined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")
#endif

namespace smolvla {

constexpr int kLanes = 16;

// The upper half of a float32; a type of its own so that templates can tell it from an integer.
struct BFloat16 {
  uint16_t bits;
};

// The first `count` lanes, all of them where there are more.
inline __mmask16 first_lanes(int64_t count) {
  return count >= kLanes ? __mmask16{0xffff} : static_cast<__mmask16>((1U << count) - 1U);
}

inline __m512 widen(__m256i bfloats) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bfloats), 16));
}

inline __m256i narrow(__m512 x) {
  const __m256bh rounded = _mm512_cvtneps_pbh(x);
  __m256i bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  return bits;
}

inline __m512 load(const float* from) { return _mm512_loadu_ps(from); }
inline __m512 load(const float* from, __mmask16 lanes) { return _mm512_maskz_loadu_ps(lanes, from); }
inline __m512 load(const BFloat16* from) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))); }
inline __m512 load(const BFloat16* from, __mmask16 lanes) { return widen(_mm256_maskz_loadu_epi16(lanes, from)); }

inline void store(float* to, __m512 x) { _mm512_storeu_ps(to, x); }
inline void store(float* to, __m512 x, __mmask16 lanes) { _mm512_mask_storeu_ps(to, lanes, x); }
inline void store(BFloat16* to, __m512 x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow(x)); }
inline void store(BFloat16* to, __m512 x, __mmask16 lanes) { _mm256_mask_storeu_epi16(to, lanes, narrow(x)); }

inline __m512 nearest_integer(__m512 x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// 2^x for any finite x, 0 below the range and infinity above it: a polynomial in [-1/2, 1/2] fitted to the least
// relative error, times the power of two. Degree 6 errs by 1e-7, which is rounding; degree 4 by 3e-6, finer than a
// bfloat16.
template <int kDegree = 6>
inline __m512 exp2(__m512 x) {
  static_assert(kDegree == 4 || kDegree == 6);
  const __m512 whole = nearest_integer(x);
  const __m512 rest = _mm512_sub_ps(x, whole);
  constexpr float kFour[] = {9.57010170e-3F, 5.59178603e-2F, 2.40247448e-1F, 6.93121815e-1F, 9.99999261e-1F};
  constexpr float kSix[] = {
      1.53458118e-4F, 1.33999312e-3F, 9.61848896e-3F, 5.55032878e-2F, 2.40226469e-1F, 6.93147206e-1F, 1.0F};
  const float* coefficients = kDegree == 4 ? kFour : kSix;
  __m512 y = _mm512_set1_ps(coefficients[0]);
#pragma GCC unroll 6
  for (int i = 1; i <= kDegree; ++i) y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(coefficients[i]));
  return _mm512_scalef_ps(y, whole);
}

// x / (1 + e^-z), to about 1e-6: silu where z is x. The bounds keep the power finite; beyond them the quotient is x or
// 0.
inline __m512 times_sigmoid(__m512 x, __m512 z) {
  const __m512 power = _mm512_mul_ps(z, _mm512_set1_ps(-1.44269504F));
  const __m512 bounded = _mm512_max_ps(_mm512_min_ps(power, _mm512_set1_ps(126.0F)), _mm512_set1_ps(-126.0F));
  const __m512 divisor = _mm512_add_ps(_mm512_set1_ps(1.0F), exp2(bounded));
  // One step of Newton's from 14 bits is cheaper than a division.
  const __m512 guess = _mm512_rcp14_ps(divisor);
  return _mm512_mul_ps(x, _mm512_mul_ps(guess, _mm512_fnmadd_ps(divisor, guess, _mm512_set1_ps(2.0F))));
}

// GELU by tanh: x / 2 * (1 + tanh(z / 2)) is x / (1 + e^-z) with z = 2 sqrt(2 / pi) (x + 0.044715 x^3).
inline __m512 gelu_tanh(__m512 x) {
  const __m512 cubic = _mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(1.5957691216F * 0.044715F));
  return times_sigmoid(x, _mm512_mul_ps(x, _mm512_add_ps(cubic, _mm512_set1_ps(1.5957691216F))));
}

}  // namespace smolvla
