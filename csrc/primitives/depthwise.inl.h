// Depthwise gathers: each channel of the target from one of the source, or from a few of its own.
#pragma once

#include "primitives/depthwise_blocks.inl.h"
#include "primitives/depthwise_planes_weight.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE bool channels_side_by_side(const Gather& gather) {
  return gather.source.pixel != 1 || gather.target.pixel != 1;
}

/// Whether the kernels for depthwise gathers take one.
inline bool depthwise_applies(const Gather& gather) {
  constexpr std::int64_t most_products = 4;
  constexpr double most_elements = 1 << 20;  // of what one tile of a plane meets
  if (gather.groups == 1 || gather.rows * gather.channels > most_products) return false;
  if (gather.rows != 1 && gather.channels != 1) return false;
  if (channels_side_by_side(gather)) return gather.rows == 1 && gather.channels == 1;
  if (gather.step_w() > 2) return false;
  if (gather.step_w() == 1) return true;
  const GatherAxis &h = gather.h, &w = gather.w[0];
  const double columns = static_cast<double>(w.outputs) + static_cast<double>(w.source) +
                         std::max(static_cast<double>(-w.lowest()), static_cast<double>(w.highest()));
  const double rows = static_cast<double>(h.highest()) - static_cast<double>(h.lowest()) +
                      most_line_outputs * static_cast<double>(h.step);
  return columns * rows * static_cast<double>(gather.channels) <= most_elements;
}

/// The ways to run one: what the lanes are.
enum class DepthwiseLanes { channels, columns, turned_channels };

template <class T>
FASTDL_INLINE DepthwiseLanes depthwise_lanes(const Gather& gather) {
  if (channels_side_by_side(gather)) return DepthwiseLanes::channels;
  return worth_turning<T>(gather) ? DepthwiseLanes::turned_channels : DepthwiseLanes::columns;
}

/// Elements that run_depthwise takes for its kernel.
template <class T>
FASTDL_INLINE std::int64_t depthwise_kernel_size(const Gather& gather) {
  if (depthwise_lanes<T>(gather) == DepthwiseLanes::columns) return 0;
  return gather.all_taps() * ceil_div(gather.groups, lanes<T>) * lanes<T>;
}

template <class T>
void run_depthwise(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target,
                   T* turned) {
  switch (depthwise_lanes<T>(gather)) {
    case DepthwiseLanes::channels:
      return run_depthwise_pixels(gather, source, kernel, bias, target, turned);
    case DepthwiseLanes::columns:
      return DepthwisePlanes<T>(gather, source, kernel, bias, target).run();
    case DepthwiseLanes::turned_channels:
      return run_depthwise_blocks(gather, source, kernel, bias, target, turned);
  }
}

// ---- the gradient of the kernel

template <class T>
FASTDL_INLINE std::int64_t depthwise_weight_splits(const Gather& gather) {
  switch (depthwise_lanes<T>(gather)) {
    case DepthwiseLanes::channels:
      return plan_pixel_weight(gather).splits;
    case DepthwiseLanes::columns:
      return plan_plane_weight<T>(gather).splits;
    case DepthwiseLanes::turned_channels:
      return block_weight_splits<T>(gather);
  }
  return 1;
}

/// Elements of a partial sum.
template <class T>
FASTDL_INLINE std::int64_t depthwise_weight_size(const Gather& gather) {
  if (depthwise_lanes<T>(gather) == DepthwiseLanes::columns) return gather.groups * gather.group_stride;
  return gather.taps(0) * ceil_div(gather.groups, lanes<T>) * lanes<T>;
}

template <class T>
FASTDL_INLINE std::size_t depthwise_weight_bytes(const Gather& gather) {
  return static_cast<std::size_t>(depthwise_weight_splits<T>(gather) * depthwise_weight_size<T>(gather)) *
         sizeof(T);
}

/// grad_kernel (groups * rows, channels, taps) of a forward gather, by partial sums.
template <class T>
void run_depthwise_weight(const Gather& gather, const T* source, const T* grad, T* grad_kernel, T* partial) {
  if (gather.images == 0) {
    std::fill_n(grad_kernel, gather.groups * gather.group_stride, T(0));
    return;
  }
  const std::int64_t splits = depthwise_weight_splits<T>(gather), size = depthwise_weight_size<T>(gather);
  const DepthwiseLanes by = depthwise_lanes<T>(gather);
  if (by == DepthwiseLanes::channels)
    sum_pixel_gradients(gather, plan_pixel_weight(gather), source, grad, partial);
  else if (by == DepthwiseLanes::columns)
    DepthwisePlaneGradients<T>(gather, source, grad).run(plan_plane_weight<T>(gather), partial);
  else
    sum_block_gradients(gather, splits, source, grad, partial);
  // A group's sums lie as in the kernel, or are one channel of (blocks of `width` channels, taps, width).
  const bool turned = by != DepthwiseLanes::columns;
  const std::int64_t taps = gather.taps(0), width = by == DepthwiseLanes::channels ? size / taps : lanes<T>;
  constexpr std::int64_t step = 256;
  parallel_for(ceil_div(gather.groups, step), [&](std::int64_t chunk) {
    for (std::int64_t group = chunk * step; group < std::min(gather.groups, (chunk + 1) * step); ++group) {
      const T* from =
          partial + (turned ? group / width * taps * width + group % width : group * gather.group_stride);
      T* const to = grad_kernel + group * gather.group_stride;
      for (std::int64_t i = 0; i < gather.group_stride; ++i, from += turned ? width : 1) {
        to[i] = *from;
        for (std::int64_t split = 1; split < splits; ++split) to[i] += from[split * size];
      }
    }
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
