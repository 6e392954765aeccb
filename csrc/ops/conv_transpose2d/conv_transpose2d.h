#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"
#include "primitives/activation.h"
#include "primitives/convolution.h"

namespace fastdl {

/// Transposed convolution: every element of x adds a scaled kernel to y,
///
///   y[n, k, p u - a + r d, q v - b + s e] += weight[c, k, r, s] x[n, c, p, q],   y[n, k] beginning at
///   bias[k]
///
/// with stride (u, v), padding (a, b) that y is cropped by, dilation (d, e), and k counted within the group
/// of c. x (N, C_in, P, Q), weight (C_in, C_out / groups, R, S), bias (C_out) or null, y (N, C_out, H, W);
/// all C-contiguous; no aliasing.
///
/// The geometry is that of the convolution whose gradient this is: g.x_shape() is the shape of y here,
/// g.y_shape() that of x, g.C = C_out, g.K = C_in.
struct ConvTranspose2dKernels {
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

  /// grad_bias (C_out): the sum of grad_y over batch and pixels.
  Status (*backward_bias)(const Launch&, const ConvolutionGeometry&, const void* grad_y, void* grad_bias);

  /// The name of what runs a pass: "winograd2x2", "winograd4x4", "channel lanes" or "pixel lanes"; for
  /// grad_weight "rows as lanes" or "positions as lanes". Null where the backend has one way alone.
  const char* (*variant)(const ConvolutionGeometry&, ConvolutionPass);
};

/// The shape rule. `x` is (N, C_in, P, Q); `bias` may be null. Throws ValueError or TypeError.
ConvolutionGeometry conv_transpose2d_geometry(const Shape& x, DType x_dtype, const Shape& weight,
                                              DType weight_dtype, const Shape* bias, DType bias_dtype,
                                              Pair stride, Pair padding, Pair output_padding,
                                              std::int64_t groups, Pair dilation);

}  // namespace fastdl
