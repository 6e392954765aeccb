// The directions of a convolution as gathers, for conv2d and for its transpose.
#pragma once

#include "primitives/gather_weight.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

inline Gather forward_gather(const ConvolutionGeometry& g) {
  const std::int64_t kernel = g.R * g.S;
  return {.images = g.N,
          .groups = g.groups,
          .rows = g.output_channels(),
          .channels = g.input_channels(),
          .h = forward_axis(g.H, g.P, g.R, g.stride_h, g.padding_h, g.dilation_h),
          .w = forward_axis(g.W, g.Q, g.S, g.stride_w, g.padding_w, g.dilation_w),
          .group_stride = g.output_channels() * g.input_channels() * kernel,
          .row_stride = g.input_channels() * kernel,
          .channel_stride = kernel,
          .S = g.S};
}

inline Gather backward_gather(const ConvolutionGeometry& g, std::int64_t phase_h, std::int64_t phase_w) {
  const std::int64_t kernel = g.R * g.S;
  return {.images = g.N,
          .groups = g.groups,
          .rows = g.input_channels(),
          .channels = g.output_channels(),
          .h = backward_axis(g.H, g.P, g.R, g.stride_h, g.padding_h, g.dilation_h, phase_h),
          .w = backward_axis(g.W, g.Q, g.S, g.stride_w, g.padding_w, g.dilation_w, phase_w),
          .group_stride = g.output_channels() * g.input_channels() * kernel,
          .row_stride = kernel,
          .channel_stride = g.input_channels() * kernel,
          .S = g.S};
}

/// Phases there are along each axis: no more than positions.
FASTDL_INLINE std::int64_t phases(std::int64_t stride, std::int64_t positions) {
  return std::min(stride, positions);
}

template <class T>
std::size_t backward_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  for (std::int64_t h = 0; h < phases(g.stride_h, g.H); ++h)
    for (std::int64_t w = 0; w < phases(g.stride_w, g.W); ++w)
      bytes = std::max(bytes, gather_workspace_bytes<T>(backward_gather(g, h, w)));
  return bytes;
}

/// x = transposed convolution of y, plus bias (C, may be null).
template <class T>
void run_backward(const ConvolutionGeometry& g, const T* y, const T* weight, const T* bias, T* x,
                  void* workspace) {
  for (std::int64_t h = 0; h < phases(g.stride_h, g.H); ++h)
    for (std::int64_t w = 0; w < phases(g.stride_w, g.W); ++w)
      run_gather(backward_gather(g, h, w), y, weight, bias, x, workspace);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
