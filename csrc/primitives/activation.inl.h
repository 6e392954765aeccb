// Activation functions on vectors: for the op of that name, and for ops that apply one to their own results.
// An element's bits depend on its value alone, so fused and apart give the same.
#pragma once

#include "core/simd_math.h"
#include "primitives/activation.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Calls body(formula) with the function of one vector.
template <class T, class Body>
FASTDL_INLINE void with_formula(const Activation& activation, const Body& body) {
  const T slope = static_cast<T>(activation.negative_slope);
  switch (activation.kind) {
    case ActivationKind::none:
      return body([](Vec<T> v) { return v; });
    case ActivationKind::relu:
      // max(0, x) keeps a NaN and the sign of zero: it gives its second operand for both.
      return body([](Vec<T> v) { return max(broadcast<T>(0), v); });
    case ActivationKind::leaky_relu:
      return body([=](Vec<T> v) { return select(v > T(0), v, slope * v); });
    case ActivationKind::sigmoid:
      return body([](Vec<T> v) { return sigmoid(v); });
    case ActivationKind::tanh:
      return body([](Vec<T> v) { return tanh(v); });
  }
}

/// `rows` vectors, `pitch` elements apart, in place.
template <class T>
__attribute__((noinline)) void activate_vectors(const Activation& activation, std::int64_t rows,
                                                std::int64_t pitch, T* values) {
  with_formula<T>(activation, [=](const auto& formula) {
    for (std::int64_t i = 0; i < rows; ++i) store(values + i * pitch, formula(load(values + i * pitch)));
  });
}

/// `count` elements side by side, in place.
template <class T>
__attribute__((noinline)) void activate_run(const Activation& activation, std::int64_t count, T* values) {
  with_formula<T>(activation, [=](const auto& formula) {
    std::int64_t i = 0;
    for (; i + lanes<T> <= count; i += lanes<T>) store(values + i, formula(load(values + i)));
    const int rest = static_cast<int>(count - i);
    if (rest > 0) store_partial(values + i, formula(load_partial(values + i, rest)), rest);
  });
}

/// activate_vectors of one, out of line: in loops that use the registers for something else.
template <class T>
__attribute__((noinline)) Vec<T> transcendental(ActivationKind kind, Vec<T> v) {
  return kind == ActivationKind::sigmoid ? sigmoid(v) : tanh(v);
}

/// One vector where it is in a register.
template <class T>
FASTDL_INLINE Vec<T> activated(const Activation& activation, Vec<T> v) {
  switch (activation.kind) {
    case ActivationKind::none:
      return v;
    case ActivationKind::relu:
      return max(broadcast<T>(0), v);
    case ActivationKind::leaky_relu:
      return select(v > T(0), v, static_cast<T>(activation.negative_slope) * v);
    default:
      return transcendental<T>(activation.kind, v);
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
