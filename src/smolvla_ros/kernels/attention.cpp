// Softmax attention over heads of 16 to 128 values, without a copy of queries, keys or values by the caller.
//
// A group is one key and value head with the query heads that read it (one each where heads are not grouped). Its keys
// and values are packed once a thread, then blocks of query rows go through: scores of the block against all keys into
// a buffer that stays in the second-level cache (some 1000 keys), softmax there, times the values. So no online
// softmax is needed and each score is touched once by the exponential.
//
// Both products are one microkernel over 32-bit words: a word is one float32, or two neighbouring bfloat16s along the
// summed dimension, which is what vdpbf16ps multiplies. Six rows by 64 columns keep 24 accumulators in registers.
#if defined(__x86_64__)

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "scratch.hpp"
#include "simd.hpp"

namespace smolvla {
namespace {

constexpr int kRows = 6;              // of the microkernel
constexpr int kPanel = 4 * kLanes;    // columns of the microkernel
constexpr int kBlock = 4 * kRows;     // query rows that share one pass over the packed keys and values
constexpr float kHidden = -0x1p100F;  // score of a key that a query must not see; a power of two, so scaling is exact

constexpr int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// Strides are in elements; the head's values lie next to each other.
struct Strides {
  int64_t batch, head, row;
};

}  // namespace

// Keys and values (batch, groups, rows, head_dim). A call takes two, the second maybe empty: a cache and a call's own.
struct Segment {
  const void* keys;
  const void* values;
  Strides key, value;
  int64_t rows;
};

struct Attention {
  const void* queries;  // (batch, heads, rows, head_dim)
  Strides query;
  Segment segments[2];
  const uint8_t* visible;  // (batch, rows, keys) of 0 and 1, null where every query sees every key
  int64_t visible_batch, visible_row;
  void* out;  // (batch, rows, heads, head_dim), contiguous
  int64_t batch, heads, groups, rows, head_dim;
  float scale;  // of the scores
  int32_t bfloat16;
  int32_t threads;
};

namespace {

// How many elements a word holds, and its multiplication: sum += a * b.
template <typename Element>
struct Word;

template <>
struct Word<float> {
  static constexpr int kElements = 1;
  static __m512 multiply_add(__m512 sum, uint32_t a, __m512i b) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(a))), _mm512_castsi512_ps(b), sum);
  }
};

template <>
struct Word<BFloat16> {
  static constexpr int kElements = 2;
  static __m512 multiply_add(__m512 sum, uint32_t a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a))),
                            reinterpret_cast<__m512bh>(b));
  }
};

// to (kRows, 16 * kVectors) = from (kRows, depth words) @ panel (depth, 16 * kVectors words).
template <typename Element, int kVectors>
inline void multiply(int64_t depth, const char* const* from, const uint32_t* panel, float* to, int64_t to_stride) {
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_setzero_ps();
  }
  for (int64_t d = 0; d < depth; ++d) {
    __m512i b[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b[v] = _mm512_loadu_si512(panel + (d * kVectors + v) * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      uint32_t a;
      std::memcpy(&a, from[r] + d * sizeof a, sizeof a);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Word<Element>::multiply_add(sums[r][v], a, b[v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(to + r * to_stride + v * kLanes, sums[r][v]);
  }
}

template <typename Element>
void multiply(int64_t columns, int64_t depth, const char* const* from, const uint32_t* panel, float* to,
              int64_t to_stride) {
  switch (columns / kLanes) {
    case 1:
      return multiply<Element, 1>(depth, from, panel, to, to_stride);
    case 2:
      return multiply<Element, 2>(depth, from, panel, to, to_stride);
    case 3:
      return multiply<Element, 3>(depth, from, panel, to, to_stride);
    default:
      return multiply<Element, 4>(depth, from, panel, to, to_stride);
  }
}

// rows[i] becomes column i.
inline void transpose(__m512i (&rows)[kLanes]) {
  __m512i pairs[kLanes];
  for (int i = 0; i < kLanes; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < kLanes; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    pairs[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
    pairs[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
    pairs[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
    pairs[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
  }
  for (int i = 0; i < 8; ++i) {
    rows[i] = _mm512_shuffle_i32x4(pairs[i], pairs[i + 8], 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(pairs[i], pairs[i + 8], 0xdd);
  }
}

template <typename Element>
class Worker {
 public:
  Worker(const Attention& call, Scratch& scratch)
      : call_(call),
        keys_(call.segments[0].rows + call.segments[1].rows),
        padded_keys_(round_up(keys_, kLanes)),
        // A cache line more than the scores need: rows a power of two apart would share the same few cache sets.
        score_stride_(padded_keys_ + kLanes) {
    const int64_t packed = padded_keys_ * call.head_dim / Word<Element>::kElements;
    packed_keys_ = scratch.room_for<uint32_t>(2 * packed + kBlock * (score_stride_ + call.head_dim));
    packed_values_ = packed_keys_ + packed;
    scores_ = reinterpret_cast<float*>(packed_values_ + packed);
    sums_ = scores_ + kBlock * score_stride_;
  }

  // Panels of 64 keys (the last one narrower), each (head_dim words, keys); values as panels of 64 columns, each
  // (keys words, columns). What is beyond the last key is 0.
  void pack(int64_t batch, int64_t group) {
    const int64_t words = call_.head_dim / Word<Element>::kElements;
    for (int64_t key = 0; key < padded_keys_; key += kLanes) {
      const int64_t panel = key / kPanel * kPanel, width = std::min<int64_t>(kPanel, padded_keys_ - panel);
      uint32_t* to = packed_keys_ + panel * words + (key - panel);
      const Element* rows[kLanes];
      for (int i = 0; i < kLanes; ++i) rows[i] = at(&Segment::keys, &Segment::key, batch, group, key + i);
      for (int64_t word = 0; word < words; word += kLanes) {
        const __mmask16 lanes = first_lanes(words - word);
        __m512i block[kLanes];
        for (int i = 0; i < kLanes; ++i) {
          block[i] = rows[i] == nullptr ? _mm512_setzero_si512()
                                        : _mm512_maskz_loadu_epi32(lanes, rows[i] + word * Word<Element>::kElements);
        }
        transpose(block);
        const int64_t count = std::min<int64_t>(kLanes, words - word);
        for (int64_t i = 0; i < count; ++i) _mm512_storeu_si512(to + (word + i) * width, block[i]);
      }
    }
    for (int64_t key = 0; key < padded_keys_; key += Word<Element>::kElements) {
      const Element* row = at(&Segment::values, &Segment::value, batch, group, key);
      const Element* next = at(&Segment::values, &Segment::value, batch, group, key + Word<Element>::kElements - 1);
      for (int64_t column = 0; column < call_.head_dim; column += kLanes) {
        const int64_t panel = column / kPanel * kPanel, width = std::min<int64_t>(kPanel, call_.head_dim - panel);
        uint32_t* to =
            packed_values_ + (panel * padded_keys_ + key * width) / Word<Element>::kElements + (column - panel);
        const __m512i low = row == nullptr ? _mm512_setzero_si512() : words_of(row + column);
        const __m512i high = next == nullptr ? _mm512_setzero_si512() : words_of(next + column);
        _mm512_storeu_si512(to,
                            Word<Element>::kElements == 1 ? low : _mm512_or_si512(_mm512_slli_epi32(high, 16), low));
      }
    }
  }

  // Query rows [first, first + count) of the packed group, its query heads one after the other; count <= kBlock.
  void attend(int64_t batch, int64_t group, int64_t first, int64_t count) {
    const char* rows[kBlock];
    for (int64_t i = 0; i < kBlock; ++i) {
      // Rows beyond the last repeat it; nobody reads their results.
      const Place place = place_of(group, first + std::min(i, count - 1));
      rows[i] = reinterpret_cast<const char*>(static_cast<const Element*>(call_.queries) + batch * call_.query.batch +
                                              place.head * call_.query.head + place.row * call_.query.row);
    }
    const int64_t words = call_.head_dim / Word<Element>::kElements;
    for (int64_t key = 0; key < padded_keys_; key += kPanel) {
      for (int64_t i = 0; i < count; i += kRows) {
        multiply<Element>(std::min<int64_t>(kPanel, padded_keys_ - key), words, rows + i, packed_keys_ + key * words,
                          scores_ + i * score_stride_ + key, score_stride_);
      }
    }
    float inverses[kBlock];
    for (int64_t i = 0; i < count; ++i) {
      float* scores = scores_ + i * score_stride_;
      if (call_.visible != nullptr) {
        hide(scores, call_.visible + batch * call_.visible_batch + place_of(group, first + i).row * call_.visible_row);
      }
      inverses[i] = 1.0F / softmax(scores);
    }
    times_values(count);
    for (int64_t i = 0; i < count; ++i) {
      const Place place = place_of(group, first + i);
      Element* to = static_cast<Element*>(call_.out) +
                    ((batch * call_.rows + place.row) * call_.heads + place.head) * call_.head_dim;
      const __m512 inverse = _mm512_set1_ps(inverses[i]);
      for (int64_t d = 0; d < call_.head_dim; d += kLanes) {
        store(to + d, _mm512_mul_ps(inverse, _mm512_loadu_ps(sums_ + i * call_.head_dim + d)));
      }
    }
  }

 private:
  struct Place {
    int64_t head, row;
  };

  Place place_of(int64_t group, int64_t row) const {
    return {group * (call_.heads / call_.groups) + row / call_.rows, row % call_.rows};
  }

  // The row of keys or values, null beyond the last one.
  const Element* at(const void* Segment::* data, Strides Segment::* strides, int64_t batch, int64_t group,
                    int64_t key) const {
    if (key >= keys_) return nullptr;
    const bool second = key >= call_.segments[0].rows;
    const Segment& segment = call_.segments[second];
    const Strides& stride = segment.*strides;
    const int64_t row = key - (second ? call_.segments[0].rows : 0);
    return static_cast<const Element*>(segment.*data) + batch * stride.batch + group * stride.head + row * stride.row;
  }

  static __m512i words_of(const float* from) { return _mm512_loadu_si512(from); }
  static __m512i words_of(const BFloat16* from) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }

  void hide(float* scores, const uint8_t* visible) const {
    for (int64_t key = 0; key < keys_; key += kLanes) {
      const __m128i bytes = _mm_maskz_loadu_epi8(first_lanes(keys_ - key), visible + key);
      const __mmask16 hidden = _mm_testn_epi8_mask(bytes, bytes);
      _mm512_mask_storeu_ps(scores + key, hidden, _mm512_set1_ps(kHidden));
    }
  }

  // Scores become exp(scale * (score - greatest)), as elements that fill the start of the row; returns their sum.
  float softmax(float* scores) const {
    __m512 greatest[4];
    for (__m512& g : greatest) g = _mm512_set1_ps(-__builtin_inff());
    int64_t key = 0;
    for (; key + 4 * kLanes <= keys_; key += 4 * kLanes) {
      for (int i = 0; i < 4; ++i) {
        greatest[i] = _mm512_max_ps(greatest[i], _mm512_loadu_ps(scores + key + i * kLanes));
      }
    }
    for (; key < keys_; key += kLanes) {
      greatest[0] =
          _mm512_mask_max_ps(greatest[0], first_lanes(keys_ - key), greatest[0], _mm512_loadu_ps(scores + key));
    }
    const __m512 factor = _mm512_set1_ps(call_.scale * 1.44269504F);
    const __m512 base =
        _mm512_mul_ps(factor, _mm512_set1_ps(_mm512_reduce_max_ps(_mm512_max_ps(
                                  _mm512_max_ps(greatest[0], greatest[1]), _mm512_max_ps(greatest[2], greatest[3])))));
    Element* weights = reinterpret_cast<Element*>(scores);
    __m512 sums[4];
    for (__m512& sum : sums) sum = _mm512_setzero_ps();
    const auto weigh = [&](int64_t at) {
      constexpr int kDegree = Word<Element>::kElements == 1 ? 6 : 4;
      return exp2<kDegree>(_mm512_fmsub_ps(_mm512_loadu_ps(scores + at), factor, base));
    };
    for (key = 0; key + 4 * kLanes <= keys_; key += 4 * kLanes) {
      __m512 y[4];
      for (int i = 0; i < 4; ++i) y[i] = weigh(key + i * kLanes);
      for (int i = 0; i < 4; ++i) sums[i] = _mm512_add_ps(sums[i], y[i]);
      for (int i = 0; i < 4; ++i) store(weights + key + i * kLanes, y[i]);
    }
    for (; key < padded_keys_; key += kLanes) {
      const __m512 y = _mm512_maskz_mov_ps(first_lanes(keys_ - key), weigh(key));
      sums[0] = _mm512_add_ps(sums[0], y);
      store(weights + key, y);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
  }

  void times_values(int64_t count) {
    const int64_t words = padded_keys_ / Word<Element>::kElements;
    for (int64_t panel = 0; panel < call_.head_dim; panel += kPanel) {
      const int64_t width = std::min<int64_t>(kPanel, call_.head_dim - panel);
      const uint32_t* values = packed_values_ + panel * words;
      for (int64_t i = 0; i < count; i += kRows) {
        const char* weights[kRows];
        for (int r = 0; r < kRows; ++r) weights[r] = reinterpret_cast<const char*>(scores_ + (i + r) * score_stride_);
        multiply<Element>(width, words, weights, values, sums_ + i * call_.head_dim + panel, call_.head_dim);
      }
    }
  }

  const Attention& call_;
  int64_t keys_, padded_keys_, score_stride_;
  uint32_t* packed_keys_;
  uint32_t* packed_values_;
  float* scores_;
  float* sums_;
};

// Each thread takes one stretch of (batch, group, block) in order, so it packs a group at most once, and few threads
// pack the same one.
template <typename Element>
void attention(const Attention& call) {
  const int64_t group_rows = call.heads / call.groups * call.rows;
  const int64_t blocks = (group_rows + kBlock - 1) / kBlock;
  const int64_t items = call.batch * call.groups * blocks;
#pragma omp parallel num_threads(static_cast<int>(std::min<int64_t>(call.threads, items)))
  {
    static thread_local Scratch scratch;
    Worker<Element> worker(call, scratch);
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    int64_t packed = -1;
    for (int64_t item = items * thread / threads; item < items * (thread + 1) / threads; ++item) {
      const int64_t pair = item / blocks, first = item % blocks * kBlock;
      const int64_t batch = pair / call.groups, group = pair % call.groups;
      if (pair != packed) worker.pack(batch, group);
      packed = pair;
      worker.attend(batch, group, first, std::min<int64_t>(kBlock, group_rows - first));
    }
  }
}

}  // namespace
}  // namespace smolvla

extern "C" __attribute__((visibility("default"))) void smolvla_attention(const smolvla::Attention* call) {
  call->bfloat16 != 0 ? smolvla::attention<smolvla::BFloat16>(*call) : smolvla::attention<float>(*call);
}

#endif
