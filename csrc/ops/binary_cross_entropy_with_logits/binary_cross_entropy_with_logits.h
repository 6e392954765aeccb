#pragma once

#include "core/backend.h"
#include "primitives/broadcast.h"
#include "primitives/elementwise_loss.h"

namespace fastdl {

/// Binary cross entropy of sigmoid(x) and t:
///
///   l = -w (p t log sigmoid(x) + (1 - t) log(1 - sigmoid(x)))
///     = w (p t softplus(-x) + (1 - t) softplus(x))
///
/// The mean divides by the number of elements, whatever the weights.
struct BinaryCrossEntropyWithLogitsParams : ElementwiseLossParams {
  Broadcast weight;      ///< how w is read
  Broadcast pos_weight;  ///< how p is read
};

/// All arrays are C-contiguous; `weight` and `pos_weight` may be null; none aliases another.
struct BinaryCrossEntropyWithLogitsKernels {
  /// Bytes of Launch::workspace for forward.
  std::size_t (*workspace_bytes)(const BinaryCrossEntropyWithLogitsParams&);

  /// loss: as many values as input for Reduction::none, one otherwise.
  Status (*forward)(const Launch&, const BinaryCrossEntropyWithLogitsParams&, const void* input,
                    const void* target, const void* weight, const void* pos_weight, void* loss);

  /// grad_loss: shaped like loss. grad_input and grad_target may be null.
  Status (*backward)(const Launch&, const BinaryCrossEntropyWithLogitsParams&, const void* grad_loss,
                     const void* input, const void* target, const void* weight, const void* pos_weight,
                     void* grad_input, void* grad_target);
};

/// The shape rule. `weight` and `pos_weight` may be null. Throws ValueError or TypeError.
BinaryCrossEntropyWithLogitsParams binary_cross_entropy_with_logits_params(
    const Shape& input, DType input_dtype, const Shape& target, DType target_dtype, const Shape* weight,
    DType weight_dtype, const Shape* pos_weight, DType pos_weight_dtype, const std::string& reduction);

}  // namespace fastdl
