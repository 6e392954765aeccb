// bfloat16 in memory, float32 in registers; and, where the level may meet AVX512_BF16, sums of products of
// pairs.
//
// A pair is two neighbours along the depth of a product, the first in the low half of a 32-bit lane.
// Functions marked FASTDL_BF16_DOT hold an instruction that not every processor of the level has: call them
// only where bf16_dot() of core/cpu_features.h says so.
#pragma once

#include "core/dtype.h"
#include "core/simd.h"

#if FASTDL_SIMD_AVX512
#define FASTDL_BF16_DOT __attribute__((target("avx512bf16")))
#endif

namespace fastdl::FASTDL_ISA {
namespace {

/// lanes<float> elements of 16 bits.
typedef std::uint16_t HalfVec __attribute__((vector_size(FASTDL_VECTOR_BYTES / 2), aligned(2), may_alias));

FASTDL_INLINE HalfVec low_halves(UintVec<float> v) {
#if FASTDL_SIMD_AVX512
  return bit_cast<HalfVec>(_mm512_cvtepi32_epi16(bit_cast<__m512i>(v)));
#elif FASTDL_SIMD_AVX2
  const __m256i all = bit_cast<__m256i>(v);
  return bit_cast<HalfVec>(_mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
#elif FASTDL_SIMD_SSE4
  return bit_cast<HalfVec>(_mm_cvtsi128_si64(_mm_packus_epi32(bit_cast<__m128i>(v), bit_cast<__m128i>(v))));
#else
  return __builtin_convertvector(v, HalfVec);
#endif
}

/// Exactly.
FASTDL_INLINE Vec<float> widened(HalfVec v) {
  return bit_cast<Vec<float>>(__builtin_convertvector(v, UintVec<float>) << 16);
}

/// To the nearest bfloat16, ties to even; a NaN stays one.
FASTDL_INLINE HalfVec rounded_to_bf16(Vec<float> v) {
  using U = UintVec<float>;
  const U bits = bit_cast<U>(v);
  const U nearest = bits + 0x7FFFu + ((bits >> 16) & 1u), quiet = bits | 0x400000u;
  const U nan = bit_cast<U>(isnan(v));
  return low_halves(((nan & quiet) | (~nan & nearest)) >> 16);
}

FASTDL_INLINE Vec<float> load_bf16(const BFloat16* p) {
  return widened(*reinterpret_cast<const HalfVec*>(p));
}

FASTDL_INLINE void store_bf16(BFloat16* p, Vec<float> v) {
  *reinterpret_cast<HalfVec*>(p) = rounded_to_bf16(v);
}

/// The first n elements (0 <= n <= lanes), the other lanes zero. Touches no other memory.
FASTDL_INLINE Vec<float> load_bf16(const BFloat16* p, int n) {
  if (n == lanes<float>) return load_bf16(p);
  HalfVec v{};
  __builtin_memcpy(&v, p, static_cast<std::size_t>(n) * sizeof(BFloat16));
  return widened(v);
}

/// Writes the first n lanes, and nothing else.
FASTDL_INLINE void store_bf16(BFloat16* p, Vec<float> v, int n) {
  if (n == lanes<float>) return store_bf16(p, v);
  const HalfVec rounded = rounded_to_bf16(v);
  __builtin_memcpy(p, &rounded, static_cast<std::size_t>(n) * sizeof(BFloat16));
}

FASTDL_INLINE Vec<float> load_up_to(const BFloat16* p, int count) {
  return load_bf16(p, count);
}
FASTDL_INLINE void store_up_to(BFloat16* p, Vec<float> v, int count) {
  store_bf16(p, v, count);
}

#if FASTDL_SIMD_AVX512

/// Pairs, one a lane.
using PairVec = UintVec<float>;

/// 2 * lanes<float> elements of 16 bits.
typedef std::uint16_t WordVec __attribute__((vector_size(64)));

/// Those of 32 elements whose bit is set; the others stay as in `rest`. Touches no other memory.
FASTDL_INLINE WordVec load_words(const BFloat16* p, std::uint32_t mask, WordVec rest = WordVec{}) {
  return bit_cast<WordVec>(_mm512_mask_loadu_epi16(bit_cast<__m512i>(rest), mask, p));
}

/// The same of every second element, lane i from p[2 * i]; `wide` has bit 2 * i where `mask` has bit i.
FASTDL_INLINE WordVec load_every_second_word(const BFloat16* p, std::uint32_t mask, std::uint64_t wide,
                                             WordVec rest = WordVec{}) {
  const __m512i low = _mm512_maskz_loadu_epi16(static_cast<__mmask32>(wide), p);
  const __m512i high = _mm512_maskz_loadu_epi16(static_cast<__mmask32>(wide >> 32), p + 32);
  const __m512i evens = _mm512_permutex2var_epi16(
      low, bit_cast<__m512i>(WordVec{0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30,
                                     32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62}),
      high);
  return bit_cast<WordVec>(_mm512_mask_mov_epi16(bit_cast<__m512i>(rest), mask, evens));
}

/// The lanes whose bit is set.
FASTDL_INLINE void store_words(BFloat16* p, WordVec v, std::uint32_t mask) {
  _mm512_mask_storeu_epi16(p, mask, bit_cast<__m512i>(v));
}

/// Pairs {even[i], odd[i]} of the first 16 elements, and of the others.
FASTDL_INLINE PairVec low_pairs(WordVec even, WordVec odd) {
  return bit_cast<PairVec>(_mm512_permutex2var_epi16(
      bit_cast<__m512i>(even),
      bit_cast<__m512i>(WordVec{0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47}),
      bit_cast<__m512i>(odd)));
}
FASTDL_INLINE PairVec high_pairs(WordVec even, WordVec odd) {
  return bit_cast<PairVec>(_mm512_permutex2var_epi16(
      bit_cast<__m512i>(even),
      bit_cast<__m512i>(WordVec{16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
                                24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}),
      bit_cast<__m512i>(odd)));
}

/// Two vectors, rounded to bfloat16, side by side.
FASTDL_INLINE WordVec rounded_words(Vec<float> low, Vec<float> high) {
  return bit_cast<WordVec>(_mm512_inserti64x4(_mm512_castsi256_si512(bit_cast<__m256i>(rounded_to_bf16(low))),
                                              bit_cast<__m256i>(rounded_to_bf16(high)), 1));
}

FASTDL_INLINE PairVec load_pairs(const std::uint32_t* p) {
  return bit_cast<PairVec>(_mm512_loadu_si512(p));
}

/// The first n lanes (0 <= n <= 16), and nothing else.
FASTDL_INLINE void store_pairs(std::uint32_t* p, PairVec v, int n) {
  if (n == lanes<float>)
    _mm512_storeu_si512(p, bit_cast<__m512i>(v));
  else
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1u), bit_cast<__m512i>(v));
}

/// sum + a's second times b's + a's first times b's, lane by lane. Subnormal numbers count as zero.
FASTDL_INLINE FASTDL_BF16_DOT Vec<float> dot_pairs(Vec<float> sum, std::uint32_t a, PairVec b) {
  const __m512i all = _mm512_set1_epi32(static_cast<int>(a));
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(all), reinterpret_cast<__m512bh>(b));
}

FASTDL_INLINE FASTDL_BF16_DOT Vec<float> dot_pairs(Vec<float> sum, WordVec a, WordVec b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

#endif  // FASTDL_SIMD_AVX512

}  // namespace
}  // namespace fastdl::FASTDL_ISA
