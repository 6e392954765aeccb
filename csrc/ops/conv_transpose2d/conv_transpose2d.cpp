#include "ops/conv_transpose2d/conv_transpose2d.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

constexpr const char* op = "conv_transpose2d";

/// Which of the positions behind the last window y keeps is free only up to the next window or tap.
void check_output_padding(Pair output_padding, Pair stride, Pair dilation) {
  for (int axis = 0; axis < 2; ++axis)
    if (output_padding[axis] < 0 || output_padding[axis] >= std::max(stride[axis], dilation[axis]))
      throw ValueError(concat("[", op, "] output_padding: expected values from 0 and below stride (",
                              stride[0], ", ", stride[1], ") or dilation (", dilation[0], ", ", dilation[1],
                              "), got (", output_padding[0], ", ", output_padding[1], ")"));
}

/// Only the input's size may be past 31 bits.
std::int64_t output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                         std::int64_t output_padding, std::int64_t dilation) {
  const std::int64_t window = dilation * (kernel - 1) + output_padding + 1 - 2 * padding;
  std::int64_t reached = 0;
  if (__builtin_mul_overflow(size - 1, stride, &reached) || __builtin_add_overflow(reached, window, &reached))
    throw ValueError(concat("[", op, "] stride: expected an output extent that fits into 63 bits, got ",
                            stride, " for an input extent of ", size));
  return reached;
}

}  // namespace

ConvolutionGeometry conv_transpose2d_geometry(const Shape& x, DType x_dtype, const Shape& weight,
                                              DType weight_dtype, const Shape* bias, DType bias_dtype,
                                              Pair stride, Pair padding, Pair output_padding,
                                              std::int64_t groups, Pair dilation) {
  check_floating(op, "input", x_dtype);
  check_same_dtype(op, "weight", weight_dtype, x_dtype);
  if (x.size() != 4)
    throw ValueError(concat("[", op, "] input: expected (N, C, H, W) or (C, H, W), got ", x));
  if (x[2] < 1 || x[3] < 1)
    throw ValueError(concat("[", op, "] input: expected a height and width of at least 1, got ", x));
  check_window_parameters(op, stride, {padding, padding}, dilation, groups);
  check_output_padding(output_padding, stride, dilation);
  if (x[1] % groups != 0)
    throw ValueError(
        concat("[", op, "] groups: expected a divisor of the ", x[1], " input channels, got ", groups));
  if (weight.size() != 4 || weight[0] != x[1] || weight[1] < 1 || weight[2] < 1 || weight[3] < 1)
    throw ValueError(concat("[", op, "] weight: expected (", x[1], ", K / groups, R, S) for input of shape ",
                            x, ", got ", weight));
  check_fits(op, "weight", {weight[2], weight[3]});
  if (bias != nullptr) {
    check_same_dtype(op, "bias", bias_dtype, x_dtype);
    check_shape(op, "bias", *bias, Shape{weight[1] * groups}, "weight", weight);
  }

  ConvolutionGeometry g{};
  g.dtype = x_dtype;
  g.N = x[0], g.K = x[1], g.P = x[2], g.Q = x[3];
  g.C = weight[1] * groups, g.R = weight[2], g.S = weight[3];
  g.stride_h = stride[0], g.stride_w = stride[1];
  g.padding_h = padding[0], g.padding_w = padding[1];
  g.dilation_h = dilation[0], g.dilation_w = dilation[1];
  g.groups = groups;
  g.precision = float32_precision();
  g.H = output_size(g.P, g.R, stride[0], padding[0], output_padding[0], dilation[0]);
  g.W = output_size(g.Q, g.S, stride[1], padding[1], output_padding[1], dilation[1]);
  if (g.H < 1 || g.W < 1)
    throw ValueError(concat("[", op, "] padding: expected an output of at least 1 x 1, got ", g.H, " x ", g.W,
                            " for input of shape ", x, " and weight of shape ", weight));
  return g;
}

}  // namespace fastdl
