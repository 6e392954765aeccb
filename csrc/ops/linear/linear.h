#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"
#include "primitives/activation.h"

namespace fastdl {

/// y = x W^T + b for x (rows, in), W (out, in), b (out) or null, y (rows, out); all C-contiguous, no
/// aliasing.
struct LinearParams {
  DType dtype;
  std::int64_t rows, in_features, out_features;
};

struct LinearKernels {
  std::size_t (*forward_workspace_bytes)(const LinearParams&);
  /// y is activated as it is written.
  Status (*forward)(const Launch&, const LinearParams&, const Activation&, const void* x, const void* weight,
                    const void* bias, void* y);

  /// grad_x = grad_y W.
  std::size_t (*backward_input_workspace_bytes)(const LinearParams&);
  Status (*backward_input)(const Launch&, const LinearParams&, const void* grad_y, const void* weight,
                           void* grad_x);

  /// grad_weight = grad_y^T x.
  std::size_t (*backward_weight_workspace_bytes)(const LinearParams&);
  Status (*backward_weight)(const Launch&, const LinearParams&, const void* grad_y, const void* x,
                            void* grad_weight);

  /// grad_bias (out): the sum of grad_y over its rows.
  std::size_t (*backward_bias_workspace_bytes)(const LinearParams&);
  Status (*backward_bias)(const Launch&, const LinearParams&, const void* grad_y, void* grad_bias);
};

/// The shape rule. A weight of shape (in) stands for out = 1 and leaves the axis out of y; its bias has no
/// axis. `bias` may be null. Throws ValueError or TypeError.
LinearParams linear_params(const Shape& x, DType x_dtype, const Shape& weight, DType weight_dtype,
                           const Shape* bias, DType bias_dtype);

/// The shape of y for operands that linear_params accepts.
Shape linear_output_shape(const Shape& x, const Shape& weight);

/// The shape of the bias.
Shape linear_bias_shape(const Shape& weight);

}  // namespace fastdl
