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

#if defined(__x86_64__)
// GCC's AVX-512 intrinsics start from a deliberately undefined vector, which -Wuninitialized takes for a
// mistake.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
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

#define FASTDL_SIMD_INLINE [[gnu::always_inline]] inline

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
};

template <>
struct VecTraits<double> {
  typedef double type __attribute__((vector_size(FASTDL_VECTOR_BYTES)));
  typedef double unaligned
      __attribute__((vector_size(FASTDL_VECTOR_BYTES), aligned(alignof(double)), may_alias));
  using int_type = decltype(type{} < type{});
  typedef std::uint64_t uint_type __attribute__((vector_size(FASTDL_VECTOR_BYTES)));
};

template <class T>
using Vec = typename VecTraits<T>::type;

// Signed integers of T's width, one per lane: what a comparison of two Vec<T> gives.
template <class T>
using IntVec = typename VecTraits<T>::int_type;

template <class T>
using UintVec = typename VecTraits<T>::uint_type;

template <class T>
inline constexpr int lanes = FASTDL_VECTOR_BYTES / static_cast<int>(sizeof(T));

template <class V>
concept FloatVec = std::is_same_v<V, Vec<float>> || std::is_same_v<V, Vec<double>>;

template <class V>
concept MaskVec = std::is_same_v<V, IntVec<float>> || std::is_same_v<V, IntVec<double>>;

// The type of one lane.
template <class V>
using Lane = std::remove_cvref_t<decltype(std::declval<V&>()[0])>;

// The float vector whose mask type is M.
template <MaskVec M>
using VecOfMask = std::conditional_t<std::is_same_v<M, IntVec<float>>, Vec<float>, Vec<double>>;

// ---- moving values
// ----------------------------------------------------------------------------------------------

// p needs no more than T's own alignment, and may point into an object of any type.
template <class T>
FASTDL_SIMD_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VecTraits<T>::unaligned*>(p);
}

template <class T>
FASTDL_SIMD_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VecTraits<T>::unaligned*>(p) = v;
}

template <class V, class T, std::size_t... I>
FASTDL_SIMD_INLINE V broadcast_lanes(T x, std::index_sequence<I...>) {
  return V{((void)I, x)...};
}

template <class T>
FASTDL_SIMD_INLINE Vec<T> broadcast(T x) {
  return broadcast_lanes<Vec<T>>(x, std::make_index_sequence<lanes<T>>{});
}

// Same bits, other type.
template <class To, class From>
FASTDL_SIMD_INLINE To bit_cast(From v) {
  static_assert(sizeof(To) == sizeof(From));
  return reinterpret_cast<To>(v);
}

template <class T, std::size_t... I>
FASTDL_SIMD_INLINE IntVec<T> lane_index(std::index_sequence<I...>) {
  return IntVec<T>{static_cast<Lane<IntVec<T>>>(I)...};
}

// {0, 1, 2, …}
template <class T>
FASTDL_SIMD_INLINE IntVec<T> lane_index() {
  return lane_index<T>(std::make_index_sequence<lanes<T>>{});
}

// True in the first n lanes.
template <class T>
FASTDL_SIMD_INLINE IntVec<T> first_lanes(int n) {
  return lane_index<T>() < static_cast<Lane<IntVec<T>>>(n);
}

// mask ? a : b, lane by lane; a lane of the mask is all ones or all zeros.
template <FloatVec V>
FASTDL_SIMD_INLINE V select(IntVec<Lane<V>> mask, V a, V b) {
  return mask ? a : b;
}

template <MaskVec M>
FASTDL_SIMD_INLINE M select(M mask, M a, M b) {
  return mask ? a : b;
}

// The first n elements (0 <= n <= lanes), the other lanes `fill`. Touches no memory beyond p[n - 1].
template <class T>
FASTDL_SIMD_INLINE Vec<T> load_partial(const T* p, int n, std::type_identity_t<T> fill = 0) {
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

// Writes the first n lanes (0 <= n <= lanes), and nothing beyond p[n - 1].
template <class T>
FASTDL_SIMD_INLINE void store_partial(T* p, Vec<T> v, int n) {
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

// ---- arithmetic
// -------------------------------------------------------------------------------------------------

// a * b + c, rounded once where the level has FMA, twice where it has not.
template <FloatVec V>
FASTDL_SIMD_INLINE V fma(V a, V b, V c) {
  [[maybe_unused]] constexpr bool is_float = std::is_same_v<Lane<V>, float>;
#if FASTDL_SIMD_AVX512
  if constexpr (is_float)
    return _mm512_fmadd_ps(a, b, c);
  else
    return _mm512_fmadd_pd(a, b, c);
#elif FASTDL_SIMD_AVX2
  if constexpr (is_float)
    return _mm256_fmadd_ps(a, b, c);
  else
    return _mm256_fmadd_pd(a, b, c);
#elif FASTDL_SIMD_NEON
  if constexpr (is_float)
    return vfmaq_f32(c, a, b);
  else
    return vfmaq_f64(c, a, b);
#else
  return a * b + c;
#endif
}

template <FloatVec V>
FASTDL_SIMD_INLINE V sqrt(V v) {
  [[maybe_unused]] constexpr bool is_float = std::is_same_v<Lane<V>, float>;
#if FASTDL_SIMD_AVX512
  if constexpr (is_float)
    return _mm512_sqrt_ps(v);
  else
    return _mm512_sqrt_pd(v);
#elif FASTDL_SIMD_AVX2
  if constexpr (is_float)
    return _mm256_sqrt_ps(v);
  else
    return _mm256_sqrt_pd(v);
#elif FASTDL_SIMD_SSE4
  if constexpr (is_float)
    return _mm_sqrt_ps(v);
  else
    return _mm_sqrt_pd(v);
#elif FASTDL_SIMD_NEON
  if constexpr (is_float)
    return vsqrtq_f32(v);
  else
    return vsqrtq_f64(v);
#else
  for (int i = 0; i < lanes<Lane<V>>; ++i) {
    if constexpr (is_float)
      v[i] = __builtin_sqrtf(v[i]);
    else
      v[i] = __builtin_sqrt(v[i]);
  }
  return v;
#endif
}

// To the nearest integer, ties to even.
template <FloatVec V>
FASTDL_SIMD_INLINE V round(V v) {
  [[maybe_unused]] constexpr bool is_float = std::is_same_v<Lane<V>, float>;
#if FASTDL_SIMD_AVX512
  if constexpr (is_float)
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  else
    return _mm512_roundscale_pd(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif FASTDL_SIMD_AVX2
  if constexpr (is_float)
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  else
    return _mm256_round_pd(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif FASTDL_SIMD_SSE4
  if constexpr (is_float)
    return _mm_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  else
    return _mm_round_pd(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif FASTDL_SIMD_NEON
  if constexpr (is_float)
    return vrndnq_f32(v);
  else
    return vrndnq_f64(v);
#else
  for (int i = 0; i < lanes<Lane<V>>; ++i) {
    if constexpr (is_float)
      v[i] = __builtin_rintf(v[i]);
    else
      v[i] = __builtin_rint(v[i]);
  }
  return v;
#endif
}

template <FloatVec V>
FASTDL_SIMD_INLINE V floor(V v) {
  [[maybe_unused]] constexpr bool is_float = std::is_same_v<Lane<V>, float>;
#if FASTDL_SIMD_AVX512
  if constexpr (is_float)
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  else
    return _mm512_roundscale_pd(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif FASTDL_SIMD_AVX2
  if constexpr (is_float)
    return _mm256_floor_ps(v);
  else
    return _mm256_floor_pd(v);
#elif FASTDL_SIMD_SSE4
  if constexpr (is_float)
    return _mm_floor_ps(v);
  else
    return _mm_floor_pd(v);
#elif FASTDL_SIMD_NEON
  if constexpr (is_float)
    return vrndmq_f32(v);
  else
    return vrndmq_f64(v);
#else
  for (int i = 0; i < lanes<Lane<V>>; ++i) {
    if constexpr (is_float)
      v[i] = __builtin_floorf(v[i]);
    else
      v[i] = __builtin_floor(v[i]);
  }
  return v;
#endif
}

// Clears the sign bit, of NaN too.
template <FloatVec V>
FASTDL_SIMD_INLINE V abs(V v) {
  using U = UintVec<Lane<V>>;
  return bit_cast<V>(bit_cast<U>(v) & ~bit_cast<U>(broadcast<Lane<V>>(-0.0f)));
}

// |magnitude| with the sign bit of `sign`.
template <FloatVec V>
FASTDL_SIMD_INLINE V copysign(V magnitude, V sign) {
  using U = UintVec<Lane<V>>;
  const U bit = bit_cast<U>(broadcast<Lane<V>>(-0.0f));
  return bit_cast<V>((bit_cast<U>(magnitude) & ~bit) | (bit_cast<U>(sign) & bit));
}

template <FloatVec V>
FASTDL_SIMD_INLINE IntVec<Lane<V>> isnan(V v) {
  return v != v;
}

// The larger value; b where either is NaN or both are zeros (maxps).
template <FloatVec V>
FASTDL_SIMD_INLINE V max(V a, V b) {
  return a > b ? a : b;
}

// The smaller value; b where either is NaN or both are zeros (minps).
template <FloatVec V>
FASTDL_SIMD_INLINE V min(V a, V b) {
  return a < b ? a : b;
}

// The larger value; NaN where either is NaN, as torch.maximum.
template <FloatVec V>
FASTDL_SIMD_INLINE V max_nan(V a, V b) {
  return select(isnan(a), a, max(a, b));
}

// The smaller value; NaN where either is NaN, as torch.minimum.
template <FloatVec V>
FASTDL_SIMD_INLINE V min_nan(V a, V b) {
  return select(isnan(a), a, min(a, b));
}

// ---- conversions
// ------------------------------------------------------------------------------------------------

// Rounded to nearest even. Without AVX-512, 64-bit lanes are converted one by one.
template <MaskVec I>
FASTDL_SIMD_INLINE VecOfMask<I> to_float(I v) {
  return __builtin_convertvector(v, VecOfMask<I>);
}

// Towards zero. Values that the integer cannot hold, and NaN, give an unspecified integer.
template <FloatVec V>
FASTDL_SIMD_INLINE IntVec<Lane<V>> to_int(V v) {
#if FASTDL_SIMD_AVX512
  if constexpr (std::is_same_v<Lane<V>, float>) return bit_cast<IntVec<float>>(_mm512_cvttps_epi32(v));
#elif FASTDL_SIMD_AVX2
  if constexpr (std::is_same_v<Lane<V>, float>) return bit_cast<IntVec<float>>(_mm256_cvttps_epi32(v));
#elif FASTDL_SIMD_SSE4
  if constexpr (std::is_same_v<Lane<V>, float>) return bit_cast<IntVec<float>>(_mm_cvttps_epi32(v));
#endif
  return __builtin_convertvector(v, IntVec<Lane<V>>);
}

// ---- across lanes
// -----------------------------------------------------------------------------------------------

// Lane i becomes lane i ^ Distance.
template <int Distance, class V, std::size_t... I>
FASTDL_SIMD_INLINE V swap_lanes(V v, std::index_sequence<I...>) {
#if defined(__clang__)
  return __builtin_shufflevector(v, v, static_cast<int>(I ^ Distance)...);
#else
  return __builtin_shuffle(v, IntVec<Lane<V>>{static_cast<Lane<IntVec<Lane<V>>>>(I ^ Distance)...});
#endif
}

struct AddOp {
  template <class V>
  FASTDL_SIMD_INLINE static V apply(V a, V b) {
    return a + b;
  }
};
struct MaxOp {
  template <class V>
  FASTDL_SIMD_INLINE static V apply(V a, V b) {
    return max(a, b);
  }
};
struct MinOp {
  template <class V>
  FASTDL_SIMD_INLINE static V apply(V a, V b) {
    return min(a, b);
  }
};
struct MaxNanOp {
  template <class V>
  FASTDL_SIMD_INLINE static V apply(V a, V b) {
    return max_nan(a, b);
  }
};

// A balanced tree over the lanes: halves against each other, then quarters, …: the same bits every time.
template <class Op, FloatVec V>
FASTDL_SIMD_INLINE Lane<V> reduce_lanes(V v) {
  constexpr int n = lanes<Lane<V>>;
  constexpr std::make_index_sequence<n> index{};
  if constexpr (n >= 16) v = Op::apply(v, swap_lanes<8>(v, index));
  if constexpr (n >= 8) v = Op::apply(v, swap_lanes<4>(v, index));
  if constexpr (n >= 4) v = Op::apply(v, swap_lanes<2>(v, index));
  v = Op::apply(v, swap_lanes<1>(v, index));
  return v[0];
}

template <FloatVec V>
FASTDL_SIMD_INLINE Lane<V> reduce_add(V v) {
  return reduce_lanes<AddOp>(v);
}

// Unspecified where a lane is NaN.
template <FloatVec V>
FASTDL_SIMD_INLINE Lane<V> reduce_max(V v) {
  return reduce_lanes<MaxOp>(v);
}

// Unspecified where a lane is NaN.
template <FloatVec V>
FASTDL_SIMD_INLINE Lane<V> reduce_min(V v) {
  return reduce_lanes<MinOp>(v);
}

// NaN where a lane is NaN.
template <FloatVec V>
FASTDL_SIMD_INLINE Lane<V> reduce_max_nan(V v) {
  return reduce_lanes<MaxNanOp>(v);
}

// Whether the sign bit of any lane is set: whether a mask is true anywhere.
template <MaskVec M>
FASTDL_SIMD_INLINE bool any(M mask) {
  [[maybe_unused]] constexpr bool is_float = std::is_same_v<VecOfMask<M>, Vec<float>>;
#if FASTDL_SIMD_AVX512
  if constexpr (is_float)
    return _mm512_movepi32_mask(bit_cast<__m512i>(mask)) != 0;
  else
    return _mm512_movepi64_mask(bit_cast<__m512i>(mask)) != 0;
#elif FASTDL_SIMD_AVX2
  if constexpr (is_float)
    return _mm256_movemask_ps(bit_cast<__m256>(mask)) != 0;
  else
    return _mm256_movemask_pd(bit_cast<__m256d>(mask)) != 0;
#elif FASTDL_SIMD_SSE4
  if constexpr (is_float)
    return _mm_movemask_ps(bit_cast<__m128>(mask)) != 0;
  else
    return _mm_movemask_pd(bit_cast<__m128d>(mask)) != 0;
#else
  bool found = false;
  for (int i = 0; i < lanes<Lane<VecOfMask<M>>>; ++i) found |= mask[i] < 0;
  return found;
#endif
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
