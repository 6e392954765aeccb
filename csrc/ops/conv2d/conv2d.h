#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"
#include "primitives/activation.h"
#include "primitives/convolution.h"

namespace fastdl {

/// Cross-correlation, as the field calls convolution:
///
///   y[n, k, p, q] = bias[k] + sum_{c, r, s} weight[k, c, r, s] x[n, g C/groups + c, p u - a + r d, q v - b +
///   s e]
///
/// with stride (u, v), padding (a, b), dilation (d, e), g the group of k, and x zero outside its bounds.
/// x (N, C, H, W) and y (N, K, P, Q) in the geometry's memory format; weight (K, C / groups, R, S) and bias
/// (K) or null, C-contiguous; no aliasing.
struct Conv2dKernels {
  std::size_t (*forward_workspace_bytes)(const ConvolutionGeometry&);
  /// y is activated as it is written.
  Status (*forward)(const Launch&, const ConvolutionGeometry&, const Activation&, const void* x,
                    const void* weight, const void* bias, void* y);

  std::size_t (*backward_input_workspace_bytes)(const ConvolutionGeometry&);
  Status (*backward_input)(const Launch&, const ConvolutionGeometry&, const void* grad_y, const void* weight,
                           void* grad_x);

  std::size_t (*backward_weight_workspace_bytes)(const ConvolutionGeometry&);
  Status (*backward_weight)(const Launch&, const ConvolutionGeometry&, const void* grad_y, const void* x,
                            void* grad_weight);

  /// grad_bias (K): the sum of grad_y over batch and pixels.
  Status (*backward_bias)(const Launch&, const ConvolutionGeometry&, const void* grad_y, void* grad_bias);

  /// The name of what runs a pass: "winograd2x2", "winograd4x4", "channel lanes" or "pixel lanes"; for
  /// grad_weight "rows as lanes" or "positions as lanes". Null where the backend has one way alone.
  const char* (*variant)(const ConvolutionGeometry&, ConvolutionPass);
};

/// The shape rule. `x` is (N, C, H, W); `bias` may be null. Throws ValueError or TypeError.
ConvolutionGeometry conv2d_geometry(const Shape& x, DType x_dtype, const Shape& weight, DType weight_dtype,
                                    const Shape* bias, DType bias_dtype, Pair stride, Padding padding,
                                    Pair dilation, std::int64_t groups);

}  // namespace fastdl
