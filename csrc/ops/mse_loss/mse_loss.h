#pragma once

#include "core/backend.h"
#include "primitives/elementwise_loss.h"

namespace fastdl {

/// l = (input - target)^2, and its mean, its sum or all of it.
struct MseLossParams : ElementwiseLossParams {};

/// All arrays are C-contiguous; none aliases another.
struct MseLossKernels {
  /// Bytes of Launch::workspace for forward.
  std::size_t (*workspace_bytes)(const MseLossParams&);

  /// loss: as many values as input for Reduction::none, one otherwise.
  Status (*forward)(const Launch&, const MseLossParams&, const void* input, const void* target, void* loss);

  /// grad_loss: shaped like loss. grad_input and grad_target may be null.
  Status (*backward)(const Launch&, const MseLossParams&, const void* grad_loss, const void* input,
                     const void* target, void* grad_input, void* grad_target);
};

/// The shape rule, which takes operands of one shape. Throws ValueError or TypeError.
MseLossParams mse_loss_params(const Shape& input, DType input_dtype, const Shape& target, DType target_dtype,
                              const std::string& reduction);

}  // namespace fastdl
