#pragma once

#include "core/backend.h"
#include "core/dtype.h"

namespace fastdl {

/// Functions of one element, y = f(x):
///   relu        max(x, 0)
///   leaky_relu  x > 0 ? x : negative_slope x
///   sigmoid     1 / (1 + exp(-x))
///   tanh
enum class Activation : std::int32_t { relu = 0, leaky_relu = 1, sigmoid = 2, tanh = 3 };

const char* name(Activation activation);

struct ActivationParams {
  Activation activation;
  DType dtype;  ///< of all arrays
  std::int64_t elements;
  double negative_slope;  ///< of leaky_relu
};

/// All arrays are blocks of `elements` elements in one order.
struct ActivationKernels {
  /// output may be input.
  Status (*forward)(const Launch&, const ActivationParams&, const void* input, void* output);

  /// saved: the output; for leaky_relu the input, or anything else of the same signs. None aliases another.
  Status (*backward)(const Launch&, const ActivationParams&, const void* grad_output, const void* saved,
                     void* grad_input);
};

/// Throws TypeError unless the dtype is floating.
ActivationParams activation_params(Activation activation, DType dtype, std::int64_t elements,
                                   double negative_slope);

}  // namespace fastdl
