// The vector type of the CPU kernels: GCC/Clang vector extensions and the few operations that these lack.
//
// Arithmetic, comparisons (a lane of the mask is all ones or all zeros) and the bit operations of integer
// vectors are the native operators; a scalar operand is broadcast. `acc += x * vec` with a scalar x becomes
// one FMA with a broadcast operand; `broadcast(x) * vec` may spend an instruction on the broadcast.
//
// A kernel file is compiled once per ISA level with FASTDL_ISA naming its namespace and FASTDL_VECTOR_BYTES
// its width. Everything here has internal linkage: a kernel of one level must never be linked into another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "core/simd_native.h"

namespace fastdl::FASTDL_ISA {
namespace {

// ---- moving values ----

/// p needs no more than T's own alignment, and may point into an object of any type.
template <class T>
FASTDL_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VecTraits<T>::unaligned*>(p);
}

template <class T>
FASTDL_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VecTraits<T>::unaligned*>(p) = v;
}

template <class V, class T, std::size_t... I>
FASTDL_INLINE V broadcast_lanes(T x, std::index_sequence<I...>) {
  return V{((void)I, x)...};
}

template <class T>
FASTDL_INLINE Vec<T> broadcast(T x) {
  return broadcast_lanes<Vec<T>>(x, std::make_index_sequence<lanes<T>>{});
}

template <class T, std::size_t... I>
FASTDL_INLINE IntVec<T> lane_index(std::index_sequence<I...>) {
  return IntVec<T>{static_cast<Lane<IntVec<T>>>(I)...};
}

/// {0, 1, 2, …}
template <class T>
FASTDL_INLINE IntVec<T> lane_index() {
  return lane_index<T>(std::make_index_sequence<lanes<T>>{});
}

/// True in the first n lanes.
template <class T>
FASTDL_INLINE IntVec<T> first_lanes(int n) {
  return lane_index<T>() < static_cast<Lane<IntVec<T>>>(n);
}

/// mask ? a : b, lane by lane; a lane of the mask is all ones or all zeros.
template <FloatVec V>
FASTDL_INLINE V select(IntVec<Lane<V>> mask, V a, V b) {
  return mask ? a : b;
}

template <MaskVec M>
FASTDL_INLINE M select(M mask, M a, M b) {
  return mask ? a : b;
}

/// Past the caches, for memory that nobody reads soon; p is aligned to the vector. Another thread sees it
/// after streaming_fence().
template <class T>
FASTDL_INLINE void store_streaming(T* p, Vec<T> v) {
  Native::store_streaming(p, v);
}

FASTDL_INLINE void streaming_fence() {
  Native::streaming_fence();
}

/// The first n elements (0 <= n <= lanes), the other lanes `fill`. Touches no memory beyond p[n - 1].
template <class T>
FASTDL_INLINE Vec<T> load_partial(const T* p, int n, std::type_identity_t<T> fill = 0) {
#if FASTDL_SIMD_AVX512
  const unsigned mask = (1u << n) - 1u;
  if constexpr (std::is_same_v<T, float>) {
    return _mm512_mask_loadu_ps(broadcast<T>(fill), static_cast<__mmask16>(mask), p);
  } else {
    return _mm512_mask_loadu_pd(broadcast<T>(fill), static_cast<__mmask8>(mask), p);
  }
#elif FASTDL_SIMD_AVX2
  const IntVec<T> mask = first_lanes<T>(n);
  if constexpr (std::is_same_v<T, float>) {
    return select(mask, Vec<T>(_mm256_maskload_ps(p, bit_cast<__m256i>(mask))), broadcast<T>(fill));
  } else {
    return select(mask, Vec<T>(_mm256_maskload_pd(p, bit_cast<__m256i>(mask))), broadcast<T>(fill));
  }
#else
  Vec<T> v = broadcast<T>(fill);
#pragma GCC unroll 16
  for (int i = 0; i < lanes<T>; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
#endif
}

/// Asks for the `Vectors` vectors four pages after p, which need not exist: a processor's own streams of
/// reads end with a page. On memory that no cache holds this halves the time of a loop that does little else.
template <int Vectors = 1, class T>
FASTDL_INLINE void prefetch_ahead(const T* p) {
  constexpr int distance = 4 * 4096, line = 64;
#pragma GCC unroll 8
  for (int i = 0; i < Vectors * FASTDL_VECTOR_BYTES; i += line)
    __builtin_prefetch(reinterpret_cast<const char*>(p) + distance + i);
}

/// The elements [begin, end) of p (0 <= begin <= end <= lanes), the other lanes `fill`. Touches no other
/// memory.
template <class T>
FASTDL_INLINE Vec<T> load_between(const T* p, int begin, int end, std::type_identity_t<T> fill = 0) {
#if FASTDL_SIMD_AVX512
  const unsigned mask = ((1u << end) - 1u) & ~((1u << begin) - 1u);
  if constexpr (std::is_same_v<T, float>) {
    return _mm512_mask_loadu_ps(broadcast<T>(fill), static_cast<__mmask16>(mask), p);
  } else {
    return _mm512_mask_loadu_pd(broadcast<T>(fill), static_cast<__mmask8>(mask), p);
  }
#elif FASTDL_SIMD_AVX2
  const IntVec<T> mask = first_lanes<T>(end) & ~first_lanes<T>(begin);
  if constexpr (std::is_same_v<T, float>) {
    return select(mask, Vec<T>(_mm256_maskload_ps(p, bit_cast<__m256i>(mask))), broadcast<T>(fill));
  } else {
    return select(mask, Vec<T>(_mm256_maskload_pd(p, bit_cast<__m256i>(mask))), broadcast<T>(fill));
  }
#else
  Vec<T> v = broadcast<T>(fill);
#pragma GCC unroll 16
  for (int i = 0; i < lanes<T>; ++i) {
    if (i >= begin && i < end) v[i] = p[i];
  }
  return v;
#endif
}

/// Writes the first n lanes (0 <= n <= lanes), and nothing beyond p[n - 1].
template <class T>
FASTDL_INLINE void store_partial(T* p, Vec<T> v, int n) {
#if FASTDL_SIMD_AVX512
  const unsigned mask = (1u << n) - 1u;
  if constexpr (std::is_same_v<T, float>) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), v);
  }
#elif FASTDL_SIMD_AVX2
  const __m256i mask = bit_cast<__m256i>(first_lanes<T>(n));
  if constexpr (std::is_same_v<T, float>) {
    _mm256_maskstore_ps(p, mask, v);
  } else {
    _mm256_maskstore_pd(p, mask, v);
  }
#else
#pragma GCC unroll 16
  for (int i = 0; i < lanes<T>; ++i) {
    if (i < n) p[i] = v[i];
  }
#endif
}

/// Each lane's low byte, of the first n lanes. Writes nothing beyond p[n - 1].
template <class T>
FASTDL_INLINE void store_bytes(std::uint8_t* p, IntVec<T> v, int n) {
  const ByteVec<T> bytes = Native::low_bytes(v);
  if (n == lanes<T>) {
    __builtin_memcpy(p, &bytes, lanes<T>);
    return;
  }
#if FASTDL_SIMD_AVX512
  if constexpr (std::is_same_v<T, float>) {
    _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << n) - 1u), bit_cast<__m128i>(bytes));
    return;
  }
#endif
  for (int i = 0; i < n; ++i) p[i] = bytes[i];
}

/// The first n bytes, one a lane, the other lanes 0. Touches no memory beyond p[n - 1].
template <class T>
FASTDL_INLINE IntVec<T> load_bytes(const std::uint8_t* p, int n) {
  ByteVec<T> bytes{};
  if (n == lanes<T>) {
    __builtin_memcpy(&bytes, p, lanes<T>);
  } else {
#if FASTDL_SIMD_AVX512
    if constexpr (std::is_same_v<T, float>) {
      bytes = bit_cast<ByteVec<T>>(_mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n) - 1u), p));
    } else
#endif
      for (int i = 0; i < n; ++i) bytes[i] = p[i];
  }
  return Native::widened(bytes);
}

/// The first `count` <= lanes elements, the other lanes zero: load, where it is a whole vector.
template <class T>
FASTDL_INLINE Vec<T> load_up_to(const T* p, int count) {
  return count == lanes<T> ? load(p) : load_partial(p, count);
}

template <class T>
FASTDL_INLINE void store_up_to(T* p, Vec<T> v, int count) {
  if (count == lanes<T>)
    store(p, v);
  else
    store_partial(p, v, count);
}

// ---- arithmetic ----

/// a * b + c, rounded once where the level has FMA, twice where it has not.
template <FloatVec V>
FASTDL_INLINE V fma(V a, V b, V c) {
  return Native::fma(a, b, c);
}

template <FloatVec V>
FASTDL_INLINE V sqrt(V v) {
  return Native::sqrt(v);
}

/// To the nearest integer, ties to even.
template <FloatVec V>
FASTDL_INLINE V round(V v) {
  return Native::round(v);
}

template <FloatVec V>
FASTDL_INLINE V floor(V v) {
  return Native::floor(v);
}

/// Clears the sign bit, of NaN too.
template <FloatVec V>
FASTDL_INLINE V abs(V v) {
  using U = UintVec<Lane<V>>;
  return bit_cast<V>(bit_cast<U>(v) & ~bit_cast<U>(broadcast<Lane<V>>(-0.0f)));
}

/// |magnitude| with the sign bit of `sign`.
template <FloatVec V>
FASTDL_INLINE V copysign(V magnitude, V sign) {
  using U = UintVec<Lane<V>>;
  const U bit = bit_cast<U>(broadcast<Lane<V>>(-0.0f));
  return bit_cast<V>((bit_cast<U>(magnitude) & ~bit) | (bit_cast<U>(sign) & bit));
}

template <FloatVec V>
FASTDL_INLINE IntVec<Lane<V>> isnan(V v) {
  return v != v;
}

/// The larger value; b where either is NaN or both are zeros (maxps).
template <FloatVec V>
FASTDL_INLINE V max(V a, V b) {
  return Native::max(a, b);
}

/// The smaller value; b where either is NaN or both are zeros (minps).
template <FloatVec V>
FASTDL_INLINE V min(V a, V b) {
  return Native::min(a, b);
}

/// The larger value; NaN where either is NaN, as torch.maximum.
template <FloatVec V>
FASTDL_INLINE V max_nan(V a, V b) {
  return select(isnan(a), a, max(a, b));
}

/// The smaller value; NaN where either is NaN, as torch.minimum.
template <FloatVec V>
FASTDL_INLINE V min_nan(V a, V b) {
  return select(isnan(a), a, min(a, b));
}

/// The products of the lower halves of two vectors' 64-bit lanes.
FASTDL_INLINE UintVec<double> multiply_low_halves(UintVec<double> a, UintVec<double> b) {
  return Native::multiply_low_halves(a, b);
}

// ---- conversions ----

/// Rounded to nearest even. Without AVX-512, 64-bit lanes are converted one by one.
template <MaskVec I>
FASTDL_INLINE VecOfMask<I> to_float(I v) {
  return __builtin_convertvector(v, VecOfMask<I>);
}

/// Towards zero. Values that the integer cannot hold, and NaN, give an unspecified integer.
template <FloatVec V>
FASTDL_INLINE IntVec<Lane<V>> to_int(V v) {
#if FASTDL_SIMD_AVX512
  if constexpr (std::is_same_v<Lane<V>, float>) return bit_cast<IntVec<float>>(_mm512_cvttps_epi32(v));
#elif FASTDL_SIMD_AVX2
  if constexpr (std::is_same_v<Lane<V>, float>) return bit_cast<IntVec<float>>(_mm256_cvttps_epi32(v));
#elif FASTDL_SIMD_SSE4
  if constexpr (std::is_same_v<Lane<V>, float>) return bit_cast<IntVec<float>>(_mm_cvttps_epi32(v));
#endif
  return __builtin_convertvector(v, IntVec<Lane<V>>);
}

/// lanes<double> elements, exactly.
template <class T>
FASTDL_INLINE Vec<double> load_as_double(const T* p) {
  if constexpr (std::is_same_v<T, double>) {
    return load(p);
  } else {
    typedef float Half
        __attribute__((vector_size(FASTDL_VECTOR_BYTES / 2), aligned(alignof(float)), may_alias));
    return __builtin_convertvector(*reinterpret_cast<const Half*>(p), Vec<double>);
  }
}

// ---- across lanes ----

/// Lane i becomes lane i ^ Distance.
template <int Distance, class V, std::size_t... I>
FASTDL_INLINE V swap_lanes(V v, std::index_sequence<I...>) {
#if defined(__clang__)
  return __builtin_shufflevector(v, v, static_cast<int>(I ^ Distance)...);
#else
  return __builtin_shuffle(v, IntVec<Lane<V>>{static_cast<Lane<IntVec<Lane<V>>>>(I ^ Distance)...});
#endif
}

/// {a[Index] or, from lanes on, b[Index - lanes], …}
template <int... Index, class V>
FASTDL_INLINE V shuffle(V a, V b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, Index...);
#else
  return __builtin_shuffle(a, b, IntVec<Lane<V>>{Index...});
#endif
}

template <class V>
struct Two {
  V first, second;
};

/// The elements at even and those at odd places of a and b side by side.
template <class V, std::size_t... I>
FASTDL_INLINE Two<V> deinterleave(V a, V b, std::index_sequence<I...>) {
  return {shuffle<static_cast<int>(2 * I)...>(a, b), shuffle<static_cast<int>(2 * I + 1)...>(a, b)};
}
template <FloatVec V>
FASTDL_INLINE Two<V> deinterleave(V a, V b) {
  return deinterleave(a, b, std::make_index_sequence<lanes<Lane<V>>>{});
}

/// a[0], a[2], …, b[1], b[3], …
template <class V, std::size_t... I>
FASTDL_INLINE V even_then_odd(V a, V b, std::index_sequence<I...>) {
  constexpr int half = lanes<Lane<V>> / 2;
  return shuffle<(static_cast<int>(I) < half ? static_cast<int>(2 * I) : static_cast<int>(2 * I + 1))...>(a,
                                                                                                          b);
}
template <FloatVec V>
FASTDL_INLINE V even_then_odd(V a, V b) {
  return even_then_odd(a, b, std::make_index_sequence<lanes<Lane<V>>>{});
}

/// The inverse of deinterleave: a[0], b[0], a[1], b[1], …
template <class V, std::size_t... I>
FASTDL_INLINE Two<V> interleave(V a, V b, std::index_sequence<I...>) {
  constexpr int n = lanes<Lane<V>>;
  return {shuffle<static_cast<int>(I / 2 + I % 2 * n)...>(a, b),
          shuffle<static_cast<int>(n / 2 + I / 2 + I % 2 * n)...>(a, b)};
}
template <FloatVec V>
FASTDL_INLINE Two<V> interleave(V a, V b) {
  return interleave(a, b, std::make_index_sequence<lanes<Lane<V>>>{});
}

/// A balanced tree over the lanes: halves against each other, then quarters, …: the same bits every time.
template <FloatVec V, class Op>
FASTDL_INLINE Lane<V> reduce_lanes(V v, Op op) {
  constexpr int n = lanes<Lane<V>>;
  constexpr std::make_index_sequence<n> index{};
  if constexpr (n >= 16) v = op(v, swap_lanes<8>(v, index));
  if constexpr (n >= 8) v = op(v, swap_lanes<4>(v, index));
  if constexpr (n >= 4) v = op(v, swap_lanes<2>(v, index));
  v = op(v, swap_lanes<1>(v, index));
  return v[0];
}

template <FloatVec V>
FASTDL_INLINE Lane<V> reduce_add(V v) {
  return reduce_lanes(v, [](V a, V b) { return a + b; });
}

/// Unspecified where a lane is NaN.
template <FloatVec V>
FASTDL_INLINE Lane<V> reduce_max(V v) {
  return reduce_lanes(v, [](V a, V b) { return max(a, b); });
}

/// Unspecified where a lane is NaN.
template <FloatVec V>
FASTDL_INLINE Lane<V> reduce_min(V v) {
  return reduce_lanes(v, [](V a, V b) { return min(a, b); });
}

/// NaN where a lane is NaN.
template <FloatVec V>
FASTDL_INLINE Lane<V> reduce_max_nan(V v) {
  return reduce_lanes(v, [](V a, V b) { return max_nan(a, b); });
}

/// Two vectors as rows of Distance x Distance blocks: the first row of each pair of blocks after it was
/// transposed, or the second.
template <int Distance, bool Second, class V, std::size_t... I>
FASTDL_INLINE V merge_lanes(V a, V b, std::index_sequence<I...>) {
  constexpr std::size_t n = sizeof...(I), d = Distance;
#if defined(__clang__)
  return __builtin_shufflevector(
      a, b, static_cast<int>(Second ? (I & d ? n + I : I + d) : (I & d ? n + I - d : I))...);
#else
  using M = IntVec<Lane<V>>;
  return __builtin_shuffle(
      a, b, M{static_cast<Lane<M>>(Second ? (I & d ? n + I : I + d) : (I & d ? n + I - d : I))...});
#endif
}

template <int Distance, FloatVec V, int N>
FASTDL_INLINE void transpose_blocks(V (&rows)[N]) {
  constexpr std::make_index_sequence<N> index{};
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) {
    if (i & Distance) continue;
    const V first = rows[i], second = rows[i + Distance];
    rows[i] = merge_lanes<Distance, false>(first, second, index);
    rows[i + Distance] = merge_lanes<Distance, true>(first, second, index);
  }
}

/// rows[i][j] becomes rows[j][i].
template <FloatVec V, int N>
FASTDL_INLINE void transpose(V (&rows)[N]) {
  static_assert(N == lanes<Lane<V>>);
  if constexpr (N >= 16) transpose_blocks<8>(rows);
  if constexpr (N >= 8) transpose_blocks<4>(rows);
  if constexpr (N >= 4) transpose_blocks<2>(rows);
  transpose_blocks<1>(rows);
}

template <int Distance, FloatVec V, int N>
FASTDL_INLINE void add_blocks(V (&rows)[N]) {
  constexpr std::make_index_sequence<N> index{};
#pragma GCC unroll 16
  for (int i = 0; i < Distance; ++i)
    rows[i] = merge_lanes<Distance, false>(rows[i], rows[i + Distance], index) +
              merge_lanes<Distance, true>(rows[i], rows[i + Distance], index);
}

/// Lane i is the sum of the lanes of rows[i], added as reduce_add adds them.
template <FloatVec V, int N>
FASTDL_INLINE V reduce_add_each(V (&rows)[N]) {
  static_assert(N == lanes<Lane<V>>);
  if constexpr (N >= 16) add_blocks<8>(rows);
  if constexpr (N >= 8) add_blocks<4>(rows);
  if constexpr (N >= 4) add_blocks<2>(rows);
  add_blocks<1>(rows);
  return rows[0];
}

/// Whether a mask is true anywhere.
template <MaskVec M>
FASTDL_INLINE bool any(M mask) {
  return Native::any(mask);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
