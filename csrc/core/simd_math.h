// exp, expm1, log, log1p, tanh, sigmoid and softplus on the vector type, float and double.
//
// Every float gives a result within 2 units in the last place (ULP) of the true value, at every ISA level,
// with or without FMA, denormals included (tests/sweep/simd_sweep.cpp tries every 1021st, with
// FASTDL_EXHAUSTIVE=1 all of them; of the doubles, a sample). NaN, infinities, signed zeros and domain errors
// as in C's Annex F, without its exception flags and errno. A result depends on the lane's own value and on
// the ISA level: never on its neighbours, its position or the caller's expression (every product that is
// added is an explicit fma()).
//
// Methods: range reduction by Cody and Waite with a two-part ln 2 (Muller et al., Handbook of Floating-Point
// Arithmetic, 2nd ed., 10.2), log by the atanh series (Tang, ACM TOMS 16(4), 1990), polynomials by
// tests/sweep/minimax.py.
#pragma once

#include "core/simd.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int exponent_bias = 127;
  static constexpr float two_to_mantissa_bits = 0x1p23f;
  static constexpr float min_normal = 0x1p-126f;
  static constexpr float log2e = 0x1.715476p+0f;
  // n * ln2_high is exact for every exponent n.
  static constexpr float ln2_high = 0x1.62e4p-1f;
  static constexpr float ln2_low = 0x1.7f7d1cp-20f;
  // Beyond these exp is infinite, exp rounds to 0, exp - 1 to -1 and 1 + exp to 1, tanh to 1.
  static constexpr float exp_high = 89.0f;
  static constexpr float exp_low = -104.0f;
  static constexpr float expm1_low = -18.0f;
  static constexpr float tanh_high = 9.5f;
  // exp(r) = 1 + r + r^2 / 2 + r^3 q(r), |r| <= ln(2) / 2
  static constexpr float exp_q[] = {0x1.5554b8p-3f, 0x1.5555bap-5f, 0x1.122372p-7f, 0x1.6c5570p-10f};
  // log((1 + s) / (1 - s)) = 2 s + s w q(w), w = s^2
  static constexpr float log_q[] = {0x1.55557ap-1f, 0x1.995ecap-2f, 0x1.31e196p-2f};
  // tanh(x) = x + x u q(u), u = x^2, |x| <= 0.625
  static constexpr float tanh_q[] = {-0x1.555532p-2f, 0x1.110726p-3f, -0x1.b83c5ap-5f, 0x1.5226a0p-6f,
                                     -0x1.75e1e0p-8f};
};

template <>
struct MathConstants<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int exponent_bias = 1023;
  static constexpr double two_to_mantissa_bits = 0x1p52;
  static constexpr double min_normal = 0x1p-1022;
  static constexpr double log2e = 0x1.71547652b82fep+0;
  static constexpr double ln2_high = 0x1.62e42fefa38p-1;
  static constexpr double ln2_low = 0x1.ef35793c7673p-45;
  static constexpr double exp_high = 710.0;
  static constexpr double exp_low = -746.0;
  static constexpr double expm1_low = -38.0;
  static constexpr double tanh_high = 20.0;
  static constexpr double exp_q[] = {0x1.5555555555559p-3,  0x1.5555555555549p-5,  0x1.111111110f7e7p-7,
                                     0x1.6c16c16c1ccf4p-10, 0x1.a01a01af77d43p-13, 0x1.a01a018302ad2p-16,
                                     0x1.71ddf94d8801dp-19, 0x1.27e52b2f17014p-22, 0x1.af5d2c7995127p-26,
                                     0x1.1ef526a322913p-29};
  static constexpr double log_q[] = {0x1.5555555555592p-1, 0x1.999999997fe6bp-2, 0x1.24924941e8497p-2,
                                     0x1.c71c520fc139fp-3, 0x1.74663dc0ac731p-3, 0x1.39a1d4ba215cdp-3,
                                     0x1.2f0481a9ea11ap-3};
  static constexpr double tanh_q[] = {-0x1.5555555555552p-2,  0x1.1111111110c04p-3,   -0x1.ba1ba1b9ce672p-5,
                                      0x1.664f48703786ep-6,   -0x1.226e32c133f78p-7,  0x1.d6d3584eacd0ap-9,
                                      -0x1.7d9c1d5ec9708p-10, 0x1.350ae1b34146ep-11,  -0x1.f10cb537d6b0ep-13,
                                      0x1.80061bf543314p-14,  -0x1.fa752c36eb419p-16, 0x1.9580e43f0ca6dp-18};
};

/// What the functions share.
template <FloatVec V>
struct Math {
  using T = Lane<V>;
  using C = MathConstants<T>;
  using U = UintVec<T>;
  using Bits = Lane<U>;
  static constexpr Bits exponent_of_one = static_cast<Bits>(C::exponent_bias) << C::mantissa_bits;

  /// c[0] + c[1] x + c[2] x^2 + …
  template <std::size_t N>
  FASTDL_INLINE static V polynomial(V x, const T (&c)[N]) {
    V y = broadcast<T>(c[N - 1]);
#pragma GCC unroll 16
    for (std::size_t i = 2; i <= N; ++i) y = fma(y, x, broadcast<T>(c[N - i]));
    return y;
  }

  /// Keeps the compiler from contracting a product into a sum of the caller's.
  FASTDL_INLINE static V rounded(V v) {
#if FASTDL_SIMD_AVX512 || FASTDL_SIMD_AVX2
    asm("" : "+v"(v));
#elif FASTDL_SIMD_NEON
    asm("" : "+w"(v));
#endif
    return v;
  }

  /// x = n ln 2 + r; NaN and infinities leave r NaN.
  struct Reduced {
    V r;
    V n;
    U biased;  // the low bits hold n + 2 * exponent_bias
  };
  FASTDL_INLINE static Reduced reduce(V x) {
    // Adding 1.5 * 2^mantissa_bits rounds to the nearest integer, and leaves it in the low bits.
    const V shift = broadcast<T>(C::two_to_mantissa_bits * T(1.5) + 2 * C::exponent_bias);
    const V shifted = fma(x, broadcast<T>(C::log2e), shift);
    const V n = shifted - shift;
    const V r = fma(n, broadcast<T>(-C::ln2_low), fma(n, broadcast<T>(-C::ln2_high), x));
    return {r, n, bit_cast<U>(shifted)};
  }

  /// exp(r) - 1, |r| <= ln(2) / 2
  FASTDL_INLINE static V expm1_reduced(V r) {
    const V q = fma(polynomial(r, C::exp_q), r, broadcast<T>(T(0.5)));
    return fma(q * r, r, r);
  }

  /// v * 2^n, rounded once also where the result is denormal, infinite where it overflows.
  FASTDL_INLINE static V scale(V v, const Reduced& by) {
#if FASTDL_SIMD_AVX512
    return Native::scale(v, by.n);
#else
    const U half = by.biased >> 1;
    const V first = bit_cast<V>(half << C::mantissa_bits);
    const V second = bit_cast<V>((by.biased - half) << C::mantissa_bits);
    return v * first * second;
#endif
  }

  /// 2^n for -exponent_bias < n <= exponent_bias
  FASTDL_INLINE static V power_of_two(U biased) {
    return bit_cast<V>((biased << C::mantissa_bits) - exponent_of_one);
  }

  /// exp(x) for x <= 0 or NaN.
  FASTDL_INLINE static V exp_nonpositive(V x) {
    const Reduced reduced = reduce(max(broadcast<T>(C::exp_low), x));
    return scale(expm1_reduced(reduced.r) + T(1), reduced);
  }

  /// log(1 + f) + k ln 2, sqrt(1/2) - 1 <= f <= sqrt(2) - 1, with 1 + f the mantissa that k belongs to.
  FASTDL_INLINE static V log_reduced(V f, V k) {
    const V s = f / (f + T(2));
    const V w = s * s;
    const V half_square = f * f * T(0.5);
    // log(1 + f) = f - half_square + s (half_square + w q(w))
    const V tail = fma(s, fma(w, polynomial(w, C::log_q), half_square), k * C::ln2_low);
    return fma(k, broadcast<T>(C::ln2_high), f - (half_square - tail));
  }

  struct Split {
    V mantissa;  // in [sqrt(1/2), sqrt(2))
    V exponent;
  };
  /// x positive, finite and normal.
  FASTDL_INLINE static Split split(V x) {
    const U sqrt_half = bit_cast<U>(broadcast<T>(T(0.70710678118654752440)));
    const U bits = bit_cast<U>(x) + (exponent_of_one - sqrt_half);
    const U mantissa = (bits & ((Bits(1) << C::mantissa_bits) - 1)) + sqrt_half;
    // The biased exponent below the mantissa of 2^mantissa_bits, then without either.
    const V exponent =
        bit_cast<V>((bits >> C::mantissa_bits) | bit_cast<U>(broadcast<T>(C::two_to_mantissa_bits)));
    return {bit_cast<V>(mantissa), exponent - (C::two_to_mantissa_bits + C::exponent_bias)};
  }

  /// log(1 + x) for 0 <= x <= 1 or NaN.
  FASTDL_INLINE static V log1p_unit(V x) {
    const IntVec<T> halve = x > broadcast<T>(T(0.41421356237309504880));
    const V f = select(halve, (x - T(1)) * T(0.5), x);
    return log_reduced(f, select(halve, broadcast<T>(1), V{}));
  }
};

template <FloatVec V>
FASTDL_INLINE V exp(V x) {
  using M = Math<V>;
  // max and min give x where x is NaN.
  const V bounded = min(broadcast<Lane<V>>(M::C::exp_high), max(broadcast<Lane<V>>(M::C::exp_low), x));
  const typename M::Reduced reduced = M::reduce(bounded);
  return M::rounded(M::scale(M::expm1_reduced(reduced.r) + Lane<V>(1), reduced));
}

/// exp(x) for x <= 0 or NaN.
template <FloatVec V>
FASTDL_INLINE V exp_nonpositive(V x) {
  return Math<V>::rounded(Math<V>::exp_nonpositive(x));
}

/// exp(x) - 1
template <FloatVec V>
FASTDL_INLINE V expm1(V x) {
  using M = Math<V>;
  using T = Lane<V>;
  const V bounded = min(broadcast<T>(M::C::exp_high), max(broadcast<T>(M::C::expm1_low), x));
  const auto [r, n, biased] = M::reduce(bounded);
  // 2^n alone overflows at the last n: there the result is doubled in the end.
  const IntVec<T> last = n > broadcast<T>(T(M::C::exponent_bias));
  const V power = M::power_of_two(biased + bit_cast<typename M::U>(last));
  const V y = fma(power, M::expm1_reduced(r), power - T(1));
  // Small arguments: keeps the sign of zero.
  const IntVec<T> small = abs(x) < broadcast<T>(T(0.25) / M::C::two_to_mantissa_bits);
  return select(small, x, select(last, y + y, y));
}

template <FloatVec V>
FASTDL_INLINE V log(V x) {
  using M = Math<V>;
  using T = Lane<V>;
  const V infinity = broadcast<T>(__builtin_inff());
  // All but the positive normal numbers, whose bits, shifted so, are the smallest signed integers.
  const auto shifted = bit_cast<IntVec<T>>(bit_cast<typename M::U>(x) + bit_cast<typename M::U>(infinity));
  const bool special = any(shifted >= -(Lane<IntVec<T>>(2) << M::C::mantissa_bits));
  V scaled = x;
  V offset{};
  if (special) [[unlikely]] {
    const IntVec<T> denormal = x < broadcast<T>(M::C::min_normal);
    scaled = select(denormal, x * M::C::two_to_mantissa_bits, x);
    offset = select(denormal, broadcast<T>(T(M::C::mantissa_bits)), V{});
  }
  const auto [mantissa, exponent] = M::split(scaled);
  V y = M::log_reduced(mantissa - T(1), exponent - offset);
  if (special) [[unlikely]] {
    y = select(x < infinity, y, x);  // +inf, NaN
    y = select(x == V{}, -infinity, y);
    y = select(x < V{}, broadcast<T>(__builtin_nanf("")), y);
  }
  return y;
}

/// log(1 + x)
template <FloatVec V>
FASTDL_INLINE V log1p(V x) {
  using M = Math<V>;
  using T = Lane<V>;
  const V infinity = broadcast<T>(__builtin_inff());
  const V u = x + T(1);
  const auto [mantissa, exponent] = M::split(u);
  // What the rounding of u lost, scaled as the mantissa is; it is nothing once the exponent is large.
  const V lost = select(u > broadcast<T>(2), T(1) - (u - x), x - (u - T(1)));
  const V bounded = min(exponent, broadcast<T>(T(M::C::exponent_bias - 2)));
  const V shift = broadcast<T>(M::C::two_to_mantissa_bits + M::C::exponent_bias);
  const V inverse = bit_cast<V>(bit_cast<typename M::U>(shift - bounded) << M::C::mantissa_bits);
  const V f = select(exponent == V{}, x, fma(lost, inverse, mantissa - T(1)));
  V y = M::log_reduced(f, exponent);
  y = select(x < infinity, y, x);  // +inf, NaN
  y = select(u == V{}, -infinity, y);
  y = select(u < V{}, broadcast<T>(__builtin_nanf("")), y);
  return select(x == V{}, x, y);  // the sign of zero
}

template <FloatVec V>
FASTDL_INLINE V tanh(V x) {
  using M = Math<V>;
  using T = Lane<V>;
  const V magnitude = abs(x);
  const V square = x * x;
  const V near_zero = fma(square * x, M::polynomial(square, M::C::tanh_q), x);
  // 1 - 2 / (exp(2 |x|) + 1); min gives |x| where it is NaN.
  const V bounded = min(broadcast<T>(M::C::tanh_high), magnitude);
  const auto [r, n, biased] = M::reduce(bounded + bounded);
  const V power = M::power_of_two(biased);
  const V far = T(1) - T(2) / (fma(power, M::expm1_reduced(r), power) + T(1));
  // Of both, as near_zero loses the sign of zero.
  return copysign(select(magnitude < broadcast<T>(T(0.625)), near_zero, far), x);
}

/// 1 / (1 + exp(-x))
template <FloatVec V>
FASTDL_INLINE V sigmoid(V x) {
  using M = Math<V>;
  using T = Lane<V>;
  const V bounded = min(broadcast<T>(-M::C::exp_low), max(broadcast<T>(M::C::expm1_low), -x));
  const auto [r, n, biased] = M::reduce(bounded);
  // exp(-x) overflows before the result is zero: where it is large, everything is scaled by unit = 2^-shift.
  constexpr typename M::Bits shift = (M::C::exponent_bias + 1) / 2;
  const IntVec<T> large = n > broadcast<T>(T(shift));
  const V power = M::power_of_two(biased - (bit_cast<typename M::U>(large) & shift));
  const V unit =
      select(large, M::power_of_two(typename M::U{} + (2 * M::C::exponent_bias - shift)), broadcast<T>(1));
  // unit + power + power * expm1(r) with one rounding that counts: the product is exact, as is `lost`.
  const V leading = unit + power;
  const V lost = unit - (leading - power);
  const V sum = leading + fma(power, M::expm1_reduced(r), lost);
  return M::rounded(T(1) / sum * unit);
}

/// log(1 + exp(-|x|)): what max(x, 0) lacks to softplus, and max(x, 0) - x y to the binary cross entropy with
/// logits.
template <FloatVec V>
FASTDL_INLINE V log1p_exp_neg_abs(V x) {
  using M = Math<V>;
  return M::log1p_unit(M::rounded(M::exp_nonpositive(-abs(x))));
}

/// log(1 + exp(x))
template <FloatVec V>
FASTDL_INLINE V softplus(V x) {
  return max(x, V{}) + log1p_exp_neg_abs(x);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
