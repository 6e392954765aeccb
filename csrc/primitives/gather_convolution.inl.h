// Runs a gather: the choice between channels and positions as lanes, by what each would cost.
#pragma once

#include "primitives/channel_lanes.inl.h"
#include "primitives/pixel_lanes.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Vector FMAs, and what goes with them, for each product that counts: for channels as lanes.
template <class T>
double channel_lanes_cost(const Gather& gather) {
  const double depth =
      static_cast<double>(std::max<std::int64_t>(1, gather.channels * gather.all_taps() / gather.phases));
  const double rows = static_cast<double>(gather.rows), columns = static_cast<double>(gather.columns());
  const double filled = static_cast<double>(ceil_div(gather.rows, lanes<T>) * lanes<T>) / rows;
  // Eight sums must be under way to hide an FMA's latency.
  const double sums = columns < 5 ? 16 : std::min(columns, 14.0) * (gather.rows > lanes<T> ? 2 : 1);
  return filled * (1 + 10 / depth) / std::min(1.0, sums / 8);
}

/// The same for positions as lanes, where loads that straddle cache lines count twice.
template <class T>
double pixel_lanes_cost(const Gather& gather) {
  const double depth =
      static_cast<double>(std::max<std::int64_t>(1, gather.channels * gather.all_taps() / gather.phases));
  const double columns = static_cast<double>(gather.columns());
  const double filled = static_cast<double>(ceil_div(gather.columns(), lanes<T>) * lanes<T>) / columns;
  const int rows = static_cast<int>(ceil_div(gather.rows, ceil_div(gather.rows, tile_rows)));
  const int vectors = position_vectors(rows);
  const double rate = std::min(1.0, rows * vectors / static_cast<double>(rows + 2 * vectors));
  return filled * (1 + 4 / depth) / rate;
}

template <class T>
bool channels_as_lanes(const Gather& gather) {
  return channel_lanes_cost<T>(gather) <= pixel_lanes_cost<T>(gather);
}

/// A gather's share of the workspace: the packed kernel, the bias in whole vectors, the offsets of the taps.
template <class T>
struct GatherWorkspace {
  T* kernel;
  T* bias;
  std::int64_t* offsets;
  std::size_t bytes;

  GatherWorkspace(const Gather& gather, void* memory) {
    const std::int64_t rows = ceil_div(gather.rows, lanes<T>) * lanes<T>;
    const auto aligned = [](std::int64_t size) { return (static_cast<std::size_t>(size) + 63) / 64 * 64; };
    const std::size_t kernel_bytes =
        aligned(gather.groups * rows * gather.channels * gather.all_taps() * sizeof(T));
    const std::size_t bias_bytes = aligned(gather.groups * rows * sizeof(T));
    char* at = static_cast<char*>(memory);
    kernel = reinterpret_cast<T*>(at);
    bias = reinterpret_cast<T*>(at + kernel_bytes);
    offsets = reinterpret_cast<std::int64_t*>(at + kernel_bytes + bias_bytes);
    bytes = kernel_bytes + bias_bytes + aligned(gather.all_taps() * sizeof(std::int64_t));
  }
};

template <class T>
FASTDL_INLINE std::size_t gather_workspace_bytes(const Gather& gather) {
  return GatherWorkspace<T>(gather, nullptr).bytes;
}

FASTDL_INLINE void all_tap_offsets(const Gather& gather, const BandPlan& plan, std::int64_t* offsets) {
  for (int phase = 0; phase < gather.phases; ++phase) {
    tap_offsets(gather, plan, phase, offsets);
    offsets += gather.taps(phase);
  }
}

/// target = gather of source with the kernel, plus bias (groups * rows, may be null). Writes only its own
/// positions.
template <class T>
void run_gather(const Gather& given, const T* source, const T* kernel, const T* bias, T* target,
                void* memory) {
  const Gather gather = flattened(given);
  if (gather.images == 0 || gather.rows == 0 || gather.h.outputs == 0 || gather.columns() == 0) return;
  const GatherWorkspace<T> workspace(gather, memory);
  if (!channels_as_lanes<T>(gather)) {
    const PixelLanesPlan plan = plan_pixel_lanes<T>(gather);
    all_tap_offsets(gather, plan.band, workspace.offsets);
    const PixelLanesOperands<T> operands{
        source, bias, target, {&gather, plan.cut(gather), workspace.kernel}, workspace.offsets};
    pack_position_kernel(gather, kernel, operands.kernel);
    run_pixel_lanes(gather, plan, operands);
    return;
  }
  const ChannelLanesPlan plan = plan_channel_lanes<T>(gather);
  all_tap_offsets(gather, plan.band, workspace.offsets);
  const ChannelLanesOperands<T> operands{
      source, bias ? workspace.bias : nullptr, target, {&gather, workspace.kernel}, workspace.offsets};
  const std::int64_t rows = operands.kernel.padded_rows();
  for (std::int64_t group = 0; bias && group < gather.groups; ++group) {
    std::copy_n(bias + group * gather.rows, gather.rows, workspace.bias + group * rows);
    std::fill_n(workspace.bias + group * rows + gather.rows, rows - gather.rows, T(0));
  }
  pack_kernel(gather, kernel, operands.kernel);
  run_channel_lanes(gather, plan, operands);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
