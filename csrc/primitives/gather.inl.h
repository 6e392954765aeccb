// Convolution forward and backward-data as one loop. Along each axis, output o of a gather sums the source at
//   o * step + base + t * base_step,   t in [0, taps),
// where it exists. Forward has step = stride; backward-data with stride u is u separate gathers with step 1,
// one for each remainder of the output position by u, each with the kernel taps that reach it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "primitives/activation.h"
#include "primitives/convolution.h"
#include "primitives/lane_tile.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

struct GatherAxis {
  std::int64_t source;                 // extent of what is read
  std::int64_t outputs, step;          // positions written, and how far the source moves from one to the next
  std::int64_t taps, base, base_step;  // kernel taps that take part, where the first reads, how far the next
  std::int64_t kernel_begin, kernel_step;          // which taps of the kernel they are
  std::int64_t target, target_begin, target_step;  // extent of what is written, first position, distance

  /// The least and the greatest of base + t * base_step.
  std::int64_t lowest() const { return base + std::min<std::int64_t>(0, (taps - 1) * base_step); }
  std::int64_t highest() const { return base + std::max<std::int64_t>(0, (taps - 1) * base_step); }
};

FASTDL_INLINE GatherAxis forward_axis(std::int64_t source, std::int64_t outputs, std::int64_t kernel,
                                      std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
  return {source, outputs, stride, kernel, -padding, dilation, 0, 1, outputs, 0, 1};
}

/// The outputs congruent to `phase` modulo stride of the gather that backward-data is.
inline GatherAxis backward_axis(std::int64_t target, std::int64_t source, std::int64_t kernel,
                                std::int64_t stride, std::int64_t padding, std::int64_t dilation,
                                std::int64_t phase) {
  const std::int64_t divisor = std::gcd(stride, dilation), period = stride / divisor;
  const std::int64_t last = std::min(period, kernel);
  std::int64_t first = 0;
  while (first < last && (phase + padding - first * dilation) % stride != 0) ++first;
  const std::int64_t taps = first < last ? ceil_div(kernel - first, period) : 0;
  const std::int64_t outputs = phase < target ? ceil_div(target - phase, stride) : 0;
  const std::int64_t base = taps ? (phase + padding - first * dilation) / stride : 0;
  return {source, outputs, 1, taps, base, -(dilation / divisor), first, period, target, phase, stride};
}

/// Distances in elements between neighbours along each axis of an image.
struct ImageLayout {
  std::int64_t image, channel, row, pixel;
};

FASTDL_INLINE ImageLayout image_layout(MemoryFormat format, std::int64_t channels, std::int64_t height,
                                       std::int64_t width) {
  const std::int64_t image = channels * height * width;
  if (format == MemoryFormat::channels_last) return {image, 1, width * channels, channels};
  return {image, height * width, width, 1};
}

/// A gather over (images, groups * channels, h, w) that gives (images, groups * rows, h', w'). The kernel's
/// element for (group, row, channel, r, s) lies at group * group_stride + row * row_stride + channel *
/// channel_stride + r * S + s. Along the width several phases, whose outputs interleave, are computed
/// together.
struct Gather {
  static constexpr int most_phases = 4;

  std::int64_t images, groups, rows, channels;
  GatherAxis h;
  GatherAxis w[most_phases];
  int phases;
  ImageLayout source, target;
  std::int64_t group_stride, row_stride, channel_stride, S;
  Float32Precision precision;
  Activation activation = {};  // of the results

  std::int64_t taps(int phase) const { return h.taps * w[phase].taps; }
  std::int64_t all_taps() const {
    std::int64_t sum = 0;
    for (int phase = 0; phase < phases; ++phase) sum += taps(phase);
    return sum;
  }
  /// Positions along the width of the longest phase.
  std::int64_t columns() const {
    std::int64_t most = 0;
    for (int phase = 0; phase < phases; ++phase) most = std::max(most, w[phase].outputs);
    return most;
  }
  std::int64_t step_w() const { return w[0].step; }

  /// Where tap (r, s) of a phase lies in a kernel of one row and channel.
  std::int64_t kernel_tap(int phase, std::int64_t r, std::int64_t s) const {
    return (h.kernel_begin + r * h.kernel_step) * S + w[phase].kernel_begin + s * w[phase].kernel_step;
  }
};

/// Whether every output reads its own place alone, and all planes are written.
FASTDL_INLINE bool is_pointwise(const Gather& gather) {
  const auto in_place = [](const GatherAxis& axis) {
    return axis.taps == 1 && axis.base == 0 && axis.step == 1 && axis.source == axis.outputs &&
           axis.target_step == 1 && axis.target == axis.outputs;
  };
  return gather.phases == 1 && in_place(gather.h) && in_place(gather.w[0]);
}

/// Where a pointwise gather reads and writes whole planes in order, they are single rows: longer runs.
FASTDL_INLINE Gather flattened(Gather gather) {
  if (!is_pointwise(gather)) return gather;
  GatherAxis& w = gather.w[0];
  w.kernel_begin += gather.h.kernel_begin * gather.S;
  w.source = w.outputs = w.target = gather.h.outputs * w.outputs;
  gather.h = {1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1};
  return gather;
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
