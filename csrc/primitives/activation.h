#pragma once

#include <cmath>
#include <cstdint>

#include "core/dtype.h"
#include "core/macros.h"

namespace fastdl {

/// Functions of one element, y = f(x):
///   none        x
///   relu        max(x, 0)
///   leaky_relu  x > 0 ? x : negative_slope x
///   sigmoid     1 / (1 + exp(-x))
///   tanh
enum class ActivationKind : std::int32_t { none = 0, relu = 1, leaky_relu = 2, sigmoid = 3, tanh = 4 };

/// What an op applies to its own results, after the bias, before they are written.
struct Activation {
  ActivationKind kind = ActivationKind::none;
  double negative_slope = 0;  ///< of leaky_relu; the others do not look at it
};

/// The shape rule's part: ValueError unless the kind is one of ActivationKind and the slope of leaky_relu at
/// least 0, as with a negative one the output does not tell the sign of the input, which the gradient needs;
/// TypeError for an activation of other dtypes than float32 and float64.
void check_activation(const char* op, const Activation& activation, DType dtype);

/// Binds `forward` under `name` with no activation, and under `activated_name` with the kind and the slope in
/// front of the other arguments: calls without one, which are many and small, do not pass it.
template <class Module, class Result, class... Arguments>
void bind_activated(Module& bindings, const char* name, const char* activated_name,
                    Result (*forward)(const Activation&, Arguments...)) {
  bindings.def(name, [forward](Arguments... arguments) { return forward({}, arguments...); });
  bindings.def(activated_name, [forward](std::int32_t kind, double negative_slope, Arguments... arguments) {
    return forward({static_cast<ActivationKind>(kind), negative_slope}, arguments...);
  });
}

/// One element, for CUDA kernels. The CPU's are in activation.inl.h.
template <class T>
FASTDL_HOST_DEVICE T activated_element(const Activation& activation, T x) {
  switch (activation.kind) {
    case ActivationKind::relu:
      return x < T(0) ? T(0) : x;  // NaN stays, and the sign of zero
    case ActivationKind::leaky_relu:
      return x > T(0) ? x : static_cast<T>(activation.negative_slope) * x;
    case ActivationKind::sigmoid:
      return T(1) / (T(1) + std::exp(-x));
    case ActivationKind::tanh:
      return std::tanh(x);
    default:
      return x;
  }
}

}  // namespace fastdl
