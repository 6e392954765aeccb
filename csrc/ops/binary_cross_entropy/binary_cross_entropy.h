#pragma once

#include "core/backend.h"
#include "primitives/broadcast.h"
#include "primitives/elementwise_loss.h"

namespace fastdl {

/// Binary cross entropy of probabilities x and t, both in [0, 1]:
///
///   l = -w (t max(log x, -100) + (1 - t) max(log(1 - x), -100))
///
/// The mean divides by the number of elements, whatever the weights.
struct BinaryCrossEntropyParams : ElementwiseLossParams {
  Broadcast weight;  ///< how w is read
};

/// All arrays are C-contiguous; `weight` may be null; none aliases another.
struct BinaryCrossEntropyKernels {
  /// Bytes of Launch::workspace for forward.
  std::size_t (*workspace_bytes)(const BinaryCrossEntropyParams&);

  /// loss: as many values as input for Reduction::none, one otherwise. A value of input (operand 0) or target
  /// (operand 1) outside [0, 1], NaN among them: the CPU answers bad_probability for the first of them.
  Status (*forward)(const Launch&, const BinaryCrossEntropyParams&, const void* input, const void* target,
                    const void* weight, void* loss);

  /// grad_loss: shaped like loss. grad_input, whose divisor x (1 - x) is at least 1e-12, and grad_target,
  /// whose logarithms have no bound, as in PyTorch; either may be null.
  Status (*backward)(const Launch&, const BinaryCrossEntropyParams&, const void* grad_loss, const void* input,
                     const void* target, const void* weight, void* grad_input, void* grad_target);
};

/// The shape rule. `weight` may be null. Throws ValueError or TypeError.
BinaryCrossEntropyParams binary_cross_entropy_params(const Shape& input, DType input_dtype,
                                                     const Shape& target, DType target_dtype,
                                                     const Shape* weight, DType weight_dtype,
                                                     const std::string& reduction);

}  // namespace fastdl
