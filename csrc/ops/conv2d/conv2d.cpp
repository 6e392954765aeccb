#include "ops/conv2d/conv2d.h"

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

ConvolutionGeometry conv2d_geometry(const Shape& x, DType x_dtype, const Shape& weight, DType weight_dtype,
                                    const Shape* bias, DType bias_dtype, Pair stride, Padding padding,
                                    Pair dilation, std::int64_t groups) {
  constexpr const char* op = "conv2d";
  check_floating_or_bfloat16(op, "input", x_dtype);
  check_same_dtype(op, "weight", weight_dtype, x_dtype);
  if (x.size() != 4) throw ValueError(concat("[conv2d] input: expected (N, C, H, W) or (C, H, W), got ", x));
  check_window_parameters(op, stride, padding, dilation, groups);
  const std::int64_t C = x[1];
  if (C % groups != 0)
    throw ValueError(
        concat("[conv2d] groups: expected a divisor of the ", C, " input channels, got ", groups));
  if (weight.size() != 4 || weight[1] != C / groups || weight[2] < 1 || weight[3] < 1)
    throw ValueError(concat("[conv2d] weight: expected (K, ", C / groups, ", R, S) for input of shape ", x,
                            " and groups=", groups, ", got ", weight));
  check_fits(op, "weight", {weight[2], weight[3]});
  if (weight[0] % groups != 0)
    throw ValueError(
        concat("[conv2d] weight: expected output channels that groups=", groups, " divides, got ", weight));
  if (bias != nullptr) {
    check_same_dtype(op, "bias", bias_dtype, x_dtype);
    check_shape(op, "bias", *bias, Shape{weight[0]}, "weight", weight);
  }

  ConvolutionGeometry g{};
  g.dtype = x_dtype;
  g.N = x[0], g.C = C, g.H = x[2], g.W = x[3];
  g.K = weight[0], g.R = weight[2], g.S = weight[3];
  g.stride_h = stride[0], g.stride_w = stride[1];
  g.padding_h = padding.before[0], g.padding_w = padding.before[1];
  g.dilation_h = dilation[0], g.dilation_w = dilation[1];
  g.groups = groups;
  g.precision = float32_precision();
  g.P = window_output_size(g.H, g.R, stride[0], padding.before[0] + padding.after[0], dilation[0]);
  g.Q = window_output_size(g.W, g.S, stride[1], padding.before[1] + padding.after[1], dilation[1]);
  if (g.P < 1 || g.Q < 1)
    throw ValueError(concat("[conv2d] weight: expected a kernel no larger than the padded input, got ",
                            weight, " with dilation (", dilation[0], ", ", dilation[1],
                            ") for input of shape ", x));
  return g;
}

}  // namespace fastdl
