// The directions of a convolution as gathers, for conv2d and for its transpose.
#pragma once

#include "primitives/channel_sums.inl.h"
#include "primitives/gather_convolution.inl.h"
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
          .w = {forward_axis(g.W, g.Q, g.S, g.stride_w, g.padding_w, g.dilation_w)},
          .phases = 1,
          .source = image_layout(g.format, g.C, g.H, g.W),
          .target = image_layout(g.format, g.K, g.P, g.Q),
          .group_stride = g.output_channels() * g.input_channels() * kernel,
          .row_stride = g.input_channels() * kernel,
          .channel_stride = kernel,
          .S = g.S,
          .precision = g.precision};
}

/// Phases there are along an axis: no more than positions.
FASTDL_INLINE std::int64_t phases(std::int64_t stride, std::int64_t positions) {
  return std::min(stride, positions);
}

/// Phases along the width that one gather takes together.
inline std::int64_t phases_together(const ConvolutionGeometry& g) {
  const std::int64_t all = phases(g.stride_w, g.W);
  return all <= Gather::most_phases ? all : 1;
}

/// Phase `phase_h` along the height, and phases from `phase_w` on along the width.
inline Gather backward_gather(const ConvolutionGeometry& g, std::int64_t phase_h, std::int64_t phase_w) {
  const std::int64_t kernel = g.R * g.S;
  Gather gather{.images = g.N,
                .groups = g.groups,
                .rows = g.input_channels(),
                .channels = g.output_channels(),
                .h = backward_axis(g.H, g.P, g.R, g.stride_h, g.padding_h, g.dilation_h, phase_h),
                .w = {},
                .phases = static_cast<int>(phases_together(g)),
                .source = image_layout(g.format, g.K, g.P, g.Q),
                .target = image_layout(g.format, g.C, g.H, g.W),
                .group_stride = g.output_channels() * g.input_channels() * kernel,
                .row_stride = kernel,
                .channel_stride = g.input_channels() * kernel,
                .S = g.S,
                .precision = g.precision};
  for (int phase = 0; phase < gather.phases; ++phase)
    gather.w[phase] = backward_axis(g.W, g.Q, g.S, g.stride_w, g.padding_w, g.dilation_w, phase_w + phase);
  return gather;
}

/// Calls body(gather) for each of the gathers that backward-data is.
template <class Body>
FASTDL_INLINE void for_backward_gathers(const ConvolutionGeometry& g, const Body& body) {
  const std::int64_t together = std::max<std::int64_t>(1, phases_together(g));
  for (std::int64_t h = 0; h < phases(g.stride_h, g.H); ++h)
    for (std::int64_t w = 0; w < phases(g.stride_w, g.W); w += together) body(backward_gather(g, h, w));
}

template <class T>
std::size_t backward_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  for_backward_gathers(
      g, [&](const Gather& gather) { bytes = std::max(bytes, gather_workspace_bytes<T>(gather)); });
  return bytes;
}

/// The name of what runs the gather with the most products of those that backward-data is.
template <class T>
const char* backward_variant(const ConvolutionGeometry& g) {
  const char* variant = "";
  std::int64_t most = -1;
  for_backward_gathers(g, [&](const Gather& gather) {
    const std::int64_t products = gather.h.outputs * gather.columns() * gather.all_taps();
    if (products > most) most = products, variant = gather_variant<T>(gather);
  });
  return variant;
}

/// x = transposed convolution of y, plus bias (C, may be null), activated.
template <class T>
void run_backward(const ConvolutionGeometry& g, const Activation& activation, const T* y, const T* weight,
                  const T* bias, T* x, void* workspace) {
  for_backward_gathers(g, [&](Gather gather) {
    gather.activation = activation;
    run_gather(gather, y, weight, bias, x, workspace);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
