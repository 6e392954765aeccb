#pragma once

#include <array>
#include <cstdint>

#include "core/dtype.h"
#include "core/memory_format.h"
#include "core/precision.h"
#include "core/shape.h"

namespace fastdl {

/// A value for the height and one for the width.
using Pair = std::array<std::int64_t, 2>;

/// Zeros assumed before and behind the image, per dimension.
struct Padding {
  Pair before, after;
};

/// What is computed of a convolution: y, or one of its gradients.
enum class ConvolutionPass : std::int32_t { forward = 0, grad_input = 1, grad_weight = 2 };

/// The sizes of a convolution x (N, C, H, W) * weight (K, C / groups, R, S) -> y (N, K, P, Q), in the field's
/// letters. A transposed convolution is described by the convolution whose backward it is.
struct ConvolutionGeometry {
  DType dtype;
  std::int64_t N, C, H, W, K, R, S, P, Q;
  std::int64_t stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
  std::int64_t groups;
  MemoryFormat format = MemoryFormat::contiguous;  ///< of x and y
  /// Read once, by the shape rule: the workspace and the kernel must follow the same value.
  Float32Precision precision;

  FASTDL_HOST_DEVICE std::int64_t input_channels() const { return C / groups; }   ///< of one group
  FASTDL_HOST_DEVICE std::int64_t output_channels() const { return K / groups; }  ///< of one group
  Shape x_shape() const { return {N, C, H, W}; }
  Shape weight_shape() const { return {K, C / groups, R, S}; }
  Shape y_shape() const { return {N, K, P, Q}; }

  /// Where an element lies.
  FASTDL_HOST_DEVICE std::int64_t x_index(std::int64_t n, std::int64_t c, std::int64_t h,
                                          std::int64_t w) const {
    return format == MemoryFormat::contiguous ? ((n * C + c) * H + h) * W + w : ((n * H + h) * W + w) * C + c;
  }
  FASTDL_HOST_DEVICE std::int64_t y_index(std::int64_t n, std::int64_t k, std::int64_t p,
                                          std::int64_t q) const {
    return format == MemoryFormat::contiguous ? ((n * K + k) * P + p) * Q + q : ((n * P + p) * Q + q) * K + k;
  }
};

/// Output extent of a window sliding over one dimension; at most 0 where the window does not fit.
constexpr std::int64_t window_output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                          std::int64_t padding, std::int64_t dilation) {
  const std::int64_t span = size + padding - dilation * (kernel - 1) - 1;
  return span < 0 ? 0 : span / stride + 1;
}

/// ValueError where a value is past 31 bits. Products of two smaller ones and their sums stay within 63 bits.
void check_fits(const char* op, const char* argument, Pair values);

/// ValueError unless strides and dilations are positive, paddings not negative, groups positive, and all that
/// comes in pairs fits as in check_fits.
void check_window_parameters(const char* op, Pair stride, Padding padding, Pair dilation,
                             std::int64_t groups);

}  // namespace fastdl
