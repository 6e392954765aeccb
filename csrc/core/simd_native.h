// The vector types of the CPU kernels at the ISA level that is compiled, and the operations that take an
// intrinsic. Included by core/simd.h, which is what kernels use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "core/macros.h"

#if defined(__x86_64__)
#if !defined(__clang__)
// GCC's AVX-512 intrinsics start from a deliberately undefined vector, and are warned about.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if !defined(FASTDL_ISA) || !defined(FASTDL_VECTOR_BYTES)
#error "define FASTDL_ISA and FASTDL_VECTOR_BYTES for the level this file is compiled for"
#endif
#if FASTDL_VECTOR_BYTES != 16 && FASTDL_VECTOR_BYTES != 32 && FASTDL_VECTOR_BYTES != 64
#error "FASTDL_VECTOR_BYTES: expected 16, 32 or 64"
#endif

// Which instruction set serves the whole vector. None: the compiler lowers the portable expressions.
#if defined(__AVX512F__) && defined(__AVX512DQ__) && FASTDL_VECTOR_BYTES == 64
#define FASTDL_SIMD_AVX512 1
#elif defined(__AVX2__) && defined(__FMA__) && FASTDL_VECTOR_BYTES == 32
#define FASTDL_SIMD_AVX2 1
#elif defined(__SSE4_1__) && FASTDL_VECTOR_BYTES == 16
#define FASTDL_SIMD_SSE4 1
#elif defined(__aarch64__) && FASTDL_VECTOR_BYTES == 16
#define FASTDL_SIMD_NEON 1
#endif

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
struct VecTraits;

template <>
struct VecTraits<float> {
  typedef float type __attribute__((vector_size(FASTDL_VECTOR_BYTES)));
  typedef float unaligned
      __attribute__((vector_size(FASTDL_VECTOR_BYTES), aligned(alignof(float)), may_alias));
  using int_type = decltype(type{} < type{});
  typedef std::uint32_t uint_type __attribute__((vector_size(FASTDL_VECTOR_BYTES)));
  typedef std::uint8_t byte_type __attribute__((vector_size(FASTDL_VECTOR_BYTES / 4)));
};

template <>
struct VecTraits<double> {
  typedef double type __attribute__((vector_size(FASTDL_VECTOR_BYTES)));
  typedef double unaligned
      __attribute__((vector_size(FASTDL_VECTOR_BYTES), aligned(alignof(double)), may_alias));
  using int_type = decltype(type{} < type{});
  typedef std::uint64_t uint_type __attribute__((vector_size(FASTDL_VECTOR_BYTES)));
  typedef std::uint8_t byte_type __attribute__((vector_size(FASTDL_VECTOR_BYTES / 8)));
};

template <class T>
using Vec = typename VecTraits<T>::type;

/// Signed integers of T's width, one per lane: what a comparison of two Vec<T> gives.
template <class T>
using IntVec = typename VecTraits<T>::int_type;

template <class T>
using UintVec = typename VecTraits<T>::uint_type;

/// One byte for each lane of a Vec<T>.
template <class T>
using ByteVec = typename VecTraits<T>::byte_type;

template <class T>
inline constexpr int lanes = FASTDL_VECTOR_BYTES / static_cast<int>(sizeof(T));

template <class V>
concept FloatVec = std::is_same_v<V, Vec<float>> || std::is_same_v<V, Vec<double>>;

template <class V>
concept MaskVec = std::is_same_v<V, IntVec<float>> || std::is_same_v<V, IntVec<double>>;

/// The type of one lane.
template <class V>
using Lane = std::remove_cvref_t<decltype(std::declval<V&>()[0])>;

/// The float vector whose mask type is M.
template <MaskVec M>
using VecOfMask = std::conditional_t<std::is_same_v<M, IntVec<float>>, Vec<float>, Vec<double>>;

/// Same bits, other type.
template <class To, class From>
FASTDL_INLINE To bit_cast(From v) {
  static_assert(sizeof(To) == sizeof(From));
  return reinterpret_cast<To>(v);
}

/// One instruction each, under a name common to the levels.
struct Native {
  using F = Vec<float>;
  using D = Vec<double>;
  using U = UintVec<double>;

  /// Each lane's low byte: without AVX-512 the compiler goes lane by lane, so two packs do it for 32-bit
  /// lanes.
  FASTDL_INLINE static ByteVec<float> low_bytes(IntVec<float> v) {
#if FASTDL_SIMD_AVX2
    v &= 0xFF;
    const __m256i all = bit_cast<__m256i>(v);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    return bit_cast<ByteVec<float>>(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
#elif FASTDL_SIMD_SSE4
    v &= 0xFF;
    const __m128i words = _mm_packus_epi32(bit_cast<__m128i>(v), bit_cast<__m128i>(v));
    return bit_cast<ByteVec<float>>(_mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
#else
    return __builtin_convertvector(v, ByteVec<float>);
#endif
  }
  FASTDL_INLINE static ByteVec<double> low_bytes(IntVec<double> v) {
    return __builtin_convertvector(v, ByteVec<double>);
  }

  /// A byte in each lane; again the compiler goes lane by lane.
  FASTDL_INLINE static IntVec<float> widened(ByteVec<float> v) {
#if FASTDL_SIMD_AVX512
    return bit_cast<IntVec<float>>(_mm512_cvtepu8_epi32(bit_cast<__m128i>(v)));
#elif FASTDL_SIMD_AVX2
    return bit_cast<IntVec<float>>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bit_cast<std::int64_t>(v))));
#elif FASTDL_SIMD_SSE4
    return bit_cast<IntVec<float>>(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bit_cast<std::int32_t>(v))));
#else
    return __builtin_convertvector(v, IntVec<float>);
#endif
  }
  FASTDL_INLINE static IntVec<double> widened(ByteVec<double> v) {
#if FASTDL_SIMD_AVX512
    return bit_cast<IntVec<double>>(_mm512_cvtepu8_epi64(_mm_cvtsi64_si128(bit_cast<std::int64_t>(v))));
#elif FASTDL_SIMD_AVX2
    return bit_cast<IntVec<double>>(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bit_cast<std::int32_t>(v))));
#else
    return __builtin_convertvector(v, IntVec<double>);
#endif
  }

#if defined(__x86_64__)
  static constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  FASTDL_INLINE static void streaming_fence() { _mm_sfence(); }
#else
  FASTDL_INLINE static void streaming_fence() {}
#endif
#if FASTDL_SIMD_AVX512
  static constexpr int down = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  FASTDL_INLINE static void store_streaming(float* p, F v) { _mm512_stream_ps(p, v); }
  FASTDL_INLINE static void store_streaming(double* p, D v) { _mm512_stream_pd(p, v); }
  FASTDL_INLINE static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  FASTDL_INLINE static D fma(D a, D b, D c) { return _mm512_fmadd_pd(a, b, c); }
  FASTDL_INLINE static F max(F a, F b) { return _mm512_max_ps(a, b); }
  FASTDL_INLINE static D max(D a, D b) { return _mm512_max_pd(a, b); }
  FASTDL_INLINE static F min(F a, F b) { return _mm512_min_ps(a, b); }
  FASTDL_INLINE static D min(D a, D b) { return _mm512_min_pd(a, b); }
  FASTDL_INLINE static F sqrt(F v) { return _mm512_sqrt_ps(v); }
  FASTDL_INLINE static D sqrt(D v) { return _mm512_sqrt_pd(v); }
  FASTDL_INLINE static F round(F v) { return _mm512_roundscale_ps(v, nearest); }
  FASTDL_INLINE static D round(D v) { return _mm512_roundscale_pd(v, nearest); }
  FASTDL_INLINE static F floor(F v) { return _mm512_roundscale_ps(v, down); }
  FASTDL_INLINE static D floor(D v) { return _mm512_roundscale_pd(v, down); }
  FASTDL_INLINE static F scale(F v, F n) { return _mm512_scalef_ps(v, n); }
  FASTDL_INLINE static D scale(D v, D n) { return _mm512_scalef_pd(v, n); }
  FASTDL_INLINE static bool any(IntVec<float> m) { return _mm512_movepi32_mask(bit_cast<__m512i>(m)) != 0; }
  FASTDL_INLINE static bool any(IntVec<double> m) { return _mm512_movepi64_mask(bit_cast<__m512i>(m)) != 0; }
  FASTDL_INLINE static U multiply_low_halves(U a, U b) {
    return bit_cast<U>(_mm512_mul_epu32(bit_cast<__m512i>(a), bit_cast<__m512i>(b)));
  }
#elif FASTDL_SIMD_AVX2
  FASTDL_INLINE static void store_streaming(float* p, F v) { _mm256_stream_ps(p, v); }
  FASTDL_INLINE static void store_streaming(double* p, D v) { _mm256_stream_pd(p, v); }
  FASTDL_INLINE static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  FASTDL_INLINE static D fma(D a, D b, D c) { return _mm256_fmadd_pd(a, b, c); }
  FASTDL_INLINE static F max(F a, F b) { return _mm256_max_ps(a, b); }
  FASTDL_INLINE static D max(D a, D b) { return _mm256_max_pd(a, b); }
  FASTDL_INLINE static F min(F a, F b) { return _mm256_min_ps(a, b); }
  FASTDL_INLINE static D min(D a, D b) { return _mm256_min_pd(a, b); }
  FASTDL_INLINE static F sqrt(F v) { return _mm256_sqrt_ps(v); }
  FASTDL_INLINE static D sqrt(D v) { return _mm256_sqrt_pd(v); }
  FASTDL_INLINE static F round(F v) { return _mm256_round_ps(v, nearest); }
  FASTDL_INLINE static D round(D v) { return _mm256_round_pd(v, nearest); }
  FASTDL_INLINE static F floor(F v) { return _mm256_floor_ps(v); }
  FASTDL_INLINE static D floor(D v) { return _mm256_floor_pd(v); }
  FASTDL_INLINE static bool any(IntVec<float> m) { return _mm256_movemask_ps(bit_cast<__m256>(m)) != 0; }
  FASTDL_INLINE static bool any(IntVec<double> m) { return _mm256_movemask_pd(bit_cast<__m256d>(m)) != 0; }
  FASTDL_INLINE static U multiply_low_halves(U a, U b) {
    return bit_cast<U>(_mm256_mul_epu32(bit_cast<__m256i>(a), bit_cast<__m256i>(b)));
  }
#elif FASTDL_SIMD_SSE4
  FASTDL_INLINE static void store_streaming(float* p, F v) { _mm_stream_ps(p, v); }
  FASTDL_INLINE static void store_streaming(double* p, D v) { _mm_stream_pd(p, v); }
  FASTDL_INLINE static F fma(F a, F b, F c) { return a * b + c; }
  FASTDL_INLINE static D fma(D a, D b, D c) { return a * b + c; }
  FASTDL_INLINE static F max(F a, F b) { return _mm_max_ps(a, b); }
  FASTDL_INLINE static D max(D a, D b) { return _mm_max_pd(a, b); }
  FASTDL_INLINE static F min(F a, F b) { return _mm_min_ps(a, b); }
  FASTDL_INLINE static D min(D a, D b) { return _mm_min_pd(a, b); }
  FASTDL_INLINE static F sqrt(F v) { return _mm_sqrt_ps(v); }
  FASTDL_INLINE static D sqrt(D v) { return _mm_sqrt_pd(v); }
  FASTDL_INLINE static F round(F v) { return _mm_round_ps(v, nearest); }
  FASTDL_INLINE static D round(D v) { return _mm_round_pd(v, nearest); }
  FASTDL_INLINE static F floor(F v) { return _mm_floor_ps(v); }
  FASTDL_INLINE static D floor(D v) { return _mm_floor_pd(v); }
  FASTDL_INLINE static bool any(IntVec<float> m) { return _mm_movemask_ps(bit_cast<__m128>(m)) != 0; }
  FASTDL_INLINE static bool any(IntVec<double> m) { return _mm_movemask_pd(bit_cast<__m128d>(m)) != 0; }
  FASTDL_INLINE static U multiply_low_halves(U a, U b) {
    return bit_cast<U>(_mm_mul_epu32(bit_cast<__m128i>(a), bit_cast<__m128i>(b)));
  }
#elif FASTDL_SIMD_NEON
  FASTDL_INLINE static void store_streaming(float* p, F v) { *reinterpret_cast<F*>(p) = v; }
  FASTDL_INLINE static void store_streaming(double* p, D v) { *reinterpret_cast<D*>(p) = v; }
  FASTDL_INLINE static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  FASTDL_INLINE static D fma(D a, D b, D c) { return vfmaq_f64(c, a, b); }
  FASTDL_INLINE static F max(F a, F b) { return a > b ? a : b; }
  FASTDL_INLINE static D max(D a, D b) { return a > b ? a : b; }
  FASTDL_INLINE static F min(F a, F b) { return a < b ? a : b; }
  FASTDL_INLINE static D min(D a, D b) { return a < b ? a : b; }
  FASTDL_INLINE static F sqrt(F v) { return vsqrtq_f32(v); }
  FASTDL_INLINE static D sqrt(D v) { return vsqrtq_f64(v); }
  FASTDL_INLINE static F round(F v) { return vrndnq_f32(v); }
  FASTDL_INLINE static D round(D v) { return vrndnq_f64(v); }
  FASTDL_INLINE static F floor(F v) { return vrndmq_f32(v); }
  FASTDL_INLINE static D floor(D v) { return vrndmq_f64(v); }
  FASTDL_INLINE static bool any(IntVec<float> m) { return vmaxvq_u32(bit_cast<uint32x4_t>(m)) != 0; }
  FASTDL_INLINE static bool any(IntVec<double> m) { return vmaxvq_u32(bit_cast<uint32x4_t>(m)) != 0; }
  FASTDL_INLINE static U multiply_low_halves(U a, U b) {
    const uint32x2_t low_a = vmovn_u64(bit_cast<uint64x2_t>(a)), low_b = vmovn_u64(bit_cast<uint64x2_t>(b));
    return bit_cast<U>(vmull_u32(low_a, low_b));
  }
#else
  FASTDL_INLINE static void store_streaming(float* p, F v) { *reinterpret_cast<F*>(p) = v; }
  FASTDL_INLINE static void store_streaming(double* p, D v) { *reinterpret_cast<D*>(p) = v; }
#if defined(__FMA__)
  // Spelled out: left to contraction, two lanes of `a * b + c * d` might be rounded differently.
  FASTDL_INLINE static F fma(F a, F b, F c) {
    for (int i = 0; i < lanes<float>; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
  }
  FASTDL_INLINE static D fma(D a, D b, D c) {
    for (int i = 0; i < lanes<double>; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
    return c;
  }
#else
  FASTDL_INLINE static F fma(F a, F b, F c) { return a * b + c; }
  FASTDL_INLINE static D fma(D a, D b, D c) { return a * b + c; }
#endif
  FASTDL_INLINE static F max(F a, F b) { return a > b ? a : b; }
  FASTDL_INLINE static D max(D a, D b) { return a > b ? a : b; }
  FASTDL_INLINE static F min(F a, F b) { return a < b ? a : b; }
  FASTDL_INLINE static D min(D a, D b) { return a < b ? a : b; }
  FASTDL_INLINE static F sqrt(F v) {
    for (int i = 0; i < lanes<float>; ++i) v[i] = __builtin_sqrtf(v[i]);
    return v;
  }
  FASTDL_INLINE static D sqrt(D v) {
    for (int i = 0; i < lanes<double>; ++i) v[i] = __builtin_sqrt(v[i]);
    return v;
  }
  FASTDL_INLINE static F round(F v) {
    for (int i = 0; i < lanes<float>; ++i) v[i] = __builtin_rintf(v[i]);
    return v;
  }
  FASTDL_INLINE static D round(D v) {
    for (int i = 0; i < lanes<double>; ++i) v[i] = __builtin_rint(v[i]);
    return v;
  }
  FASTDL_INLINE static F floor(F v) {
    for (int i = 0; i < lanes<float>; ++i) v[i] = __builtin_floorf(v[i]);
    return v;
  }
  FASTDL_INLINE static D floor(D v) {
    for (int i = 0; i < lanes<double>; ++i) v[i] = __builtin_floor(v[i]);
    return v;
  }
  template <class M>
  FASTDL_INLINE static bool any(M m) {
    bool found = false;
    for (std::size_t i = 0; i < sizeof m / sizeof m[0]; ++i) found |= m[i] != 0;
    return found;
  }
  FASTDL_INLINE static U multiply_low_halves(U a, U b) { return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu); }
#endif
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
