#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "primitives/activation.h"

namespace fastdl {

const char* name(ActivationKind kind);

struct ActivationParams {
  Activation activation;
  DType dtype;  ///< of all arrays
  std::int64_t elements;
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
ActivationParams activation_params(Activation activation, DType dtype, std::int64_t elements);

}  // namespace fastdl
