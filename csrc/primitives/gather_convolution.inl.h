// Runs a gather: the choice of an algorithm, by what each would cost.
#pragma once

#include "primitives/depthwise.inl.h"
#include "primitives/pixel_lanes.inl.h"
#include "primitives/winograd.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Vector FMAs, and what goes with them, for each product that counts: for channels as lanes.
template <class T>
double channel_lanes_cost(const Gather& gather) {
  const double depth =
      static_cast<double>(std::max<std::int64_t>(1, gather.channels * gather.all_taps() / gather.phases));
  const double rows = static_cast<double>(gather.rows), columns = static_cast<double>(gather.columns());
  const double filled = static_cast<double>(ceil_div(gather.rows, lanes<T>) * lanes<T>) / rows;
  // Eight sums must be under way to hide an FMA's latency; with one vector of channels each takes a load.
  const double sums = columns < 5 ? 16 : std::min(columns, 14.0) * (gather.rows > lanes<T> ? 2 : 1);
  const double loads = gather.rows > lanes<T> ? 1 : 1.3;
  return loads * filled * (1 + 10 / depth) / std::min(1.0, sums / 8);
}

/// The same for positions as lanes, whose loads straddle cache lines and whose results go to many planes at
/// once.
template <class T>
double pixel_lanes_cost(const Gather& gather) {
  const double depth =
      static_cast<double>(std::max<std::int64_t>(1, gather.channels * gather.all_taps() / gather.phases));
  const double columns = static_cast<double>(gather.columns());
  const double filled = static_cast<double>(ceil_div(gather.columns(), lanes<T>) * lanes<T>) / columns;
  const int rows = static_cast<int>(ceil_div(gather.rows, ceil_div(gather.rows, tile_rows)));
  const int vectors = position_vectors(rows);
  const double rate = std::min(1.0, rows * vectors / static_cast<double>(rows + 2 * vectors));
  // Where the results of neighbours do not lie side by side, each is a store of its own.
  const double stores = gather.target.pixel == 1 ? 16 : 16 + 2 * lanes<T>;
  return 1.15 * filled * (1 + stores / depth) / rate;
}

enum class GatherVariant { channel_lanes, pixel_lanes, winograd2x2, winograd4x4, depthwise };

/// Follows from the shape and the precision alone.
template <class T>
GatherVariant choose_gather(const Gather& gather) {
  if (depthwise_applies(gather)) return GatherVariant::depthwise;
  const double channels = channel_lanes_cost<T>(gather), pixels = pixel_lanes_cost<T>(gather);
  GatherVariant best = channels <= pixels ? GatherVariant::channel_lanes : GatherVariant::pixel_lanes;
  double least = std::min(1.0, pixels / channels);
  const auto consider = [&](GatherVariant variant, double cost) {
    if (cost < least) best = variant, least = cost;
  };
  if (!winograd_applies(gather)) return best;
  consider(GatherVariant::winograd2x2, winograd_cost_ratio<2, T>(gather));
  if (std::is_same_v<T, float> && gather.precision == Float32Precision::high)
    consider(GatherVariant::winograd4x4, winograd_cost_ratio<4, T>(gather));
  return best;
}

inline const char* name(GatherVariant variant) {
  switch (variant) {
    case GatherVariant::channel_lanes:
      return "channel lanes";
    case GatherVariant::pixel_lanes:
      return "pixel lanes";
    case GatherVariant::winograd2x2:
      return "winograd2x2";
    case GatherVariant::winograd4x4:
      return "winograd4x4";
    case GatherVariant::depthwise:
      return "depthwise";
  }
  return "";
}

template <class T>
FASTDL_INLINE const char* gather_variant(const Gather& gather) {
  return name(choose_gather<T>(flattened(gather)));
}

/// Calls body(std::integral_constant<int, M>()) for a Winograd variant; false for the others.
template <class T, class Body>
FASTDL_INLINE bool with_tile(GatherVariant variant, const Body& body) {
  if (variant == GatherVariant::winograd2x2) return body(std::integral_constant<int, 2>()), true;
  if constexpr (std::is_same_v<T, float>)
    if (variant == GatherVariant::winograd4x4) return body(std::integral_constant<int, 4>()), true;
  return false;
}

/// A gather's share of the workspace: the packed or transformed kernel, the transformed tiles, the bias in
/// whole vectors, the offsets of the taps.
template <class T>
struct GatherWorkspace {
  T* kernel;
  T* tiles;
  T* bias;
  std::int64_t* offsets;
  std::size_t bytes = 0;

  GatherWorkspace(const Gather& gather, GatherVariant variant, void* memory) {
    // Either way of packing pads the rows: to whole vectors, or to whole panels of positions.
    const std::int64_t rows =
        std::max(ceil_div(gather.rows, lanes<T>) * lanes<T>, gather.rows + std::int64_t{tile_rows});
    const auto take = [&]<class U>(U*& piece, std::int64_t count) {
      piece = reinterpret_cast<U*>(static_cast<char*>(memory) + bytes);
      bytes += (static_cast<std::size_t>(count) * sizeof(U) + 63) / 64 * 64;
    };
    std::int64_t kernel_size = gather.groups * rows * gather.channels * gather.all_taps(), tiles_size = 0;
    std::int64_t offsets_size = gather.all_taps();
    if (variant == GatherVariant::depthwise) kernel_size = depthwise_kernel_size<T>(gather);
    with_tile<T>(variant, [&]<int M>(std::integral_constant<int, M>) {
      const WinogradPlan plan = plan_winograd<M, T>(gather);
      kernel_size = winograd_panels_size<M, T>(gather, plan),
      tiles_size = winograd_tiles_size<M, T>(gather, plan);
      offsets_size = tile_points<M>;
    });
    take(kernel, kernel_size);
    take(tiles, tiles_size);
    take(bias, gather.groups * rows);
    take(offsets, offsets_size);
  }
};

template <class T>
FASTDL_INLINE std::size_t gather_workspace_bytes(const Gather& given) {
  const Gather gather = flattened(given);
  return GatherWorkspace<T>(gather, choose_gather<T>(gather), nullptr).bytes;
}

FASTDL_INLINE void all_tap_offsets(const Gather& gather, const BandPlan& plan, std::int64_t* offsets) {
  for (int phase = 0; phase < gather.phases; ++phase) {
    tap_offsets(gather, plan, phase, offsets);
    offsets += gather.taps(phase);
  }
}

template <class T>
void gather_by_positions(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target,
                         const GatherWorkspace<T>& workspace) {
  const PixelLanesPlan plan = plan_pixel_lanes<T>(gather);
  all_tap_offsets(gather, plan.band, workspace.offsets);
  const PixelLanesOperands<T> operands{
      source, bias, target, {&gather, &plan, workspace.kernel}, workspace.offsets};
  pack_position_kernel(gather, kernel, operands.kernel);
  run_pixel_lanes(gather, plan, operands);
}

/// The bias of each group, filled up with zeros to whole vectors; null where there is none.
template <class T>
const T* padded_bias(const Gather& gather, const T* bias, T* to) {
  const std::int64_t rows = ceil_div(gather.rows, lanes<T>) * lanes<T>;
  for (std::int64_t group = 0; bias && group < gather.groups; ++group) {
    std::copy_n(bias + group * gather.rows, gather.rows, to + group * rows);
    std::fill_n(to + group * rows + gather.rows, rows - gather.rows, T(0));
  }
  return bias ? to : nullptr;
}

template <class T>
void gather_by_channels(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target,
                        const GatherWorkspace<T>& workspace) {
  const PackedKernel<T> packed{&gather, workspace.kernel};
  pack_kernel(gather, kernel, packed);
  const ChannelLanesPlan plan = plan_channel_lanes<T>(gather);
  all_tap_offsets(gather, plan.band, workspace.offsets);
  run_channel_lanes(gather, plan,
                    ChannelLanesOperands<T>{source, padded_bias(gather, bias, workspace.bias), target, packed,
                                            workspace.offsets});
}

template <int M, class T>
void gather_by_tiles(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target,
                     const GatherWorkspace<T>& workspace) {
  const WinogradPlan plan = plan_winograd<M, T>(gather);
  tap_offsets(tiles_of<M>(gather), plan.band, 0, workspace.offsets);
  run_winograd<M>(gather, plan,
                  WinogradOperands<T>{source, kernel, padded_bias(gather, bias, workspace.bias), target,
                                      workspace.offsets, workspace.kernel, workspace.tiles});
}

/// target = gather of source with the kernel, plus bias (groups * rows, may be null), activated. Writes only
/// its own positions.
template <class T>
void run_gather(const Gather& given, const T* source, const T* kernel, const T* bias, T* target,
                void* memory) {
  Gather gather = flattened(given);
  if (gather.all_taps() == 0) gather.channels = 0;  // nothing but the bias
  if (gather.images == 0 || gather.rows == 0 || gather.h.outputs == 0 || gather.columns() == 0) return;
  const GatherVariant variant = choose_gather<T>(gather);
  const GatherWorkspace<T> workspace(gather, variant, memory);
  if (variant == GatherVariant::depthwise)
    return run_depthwise(gather, source, kernel, bias, target, workspace.kernel);
  if (with_tile<T>(variant, [&]<int M>(std::integral_constant<int, M>) {
        gather_by_tiles<M>(gather, source, kernel, bias, target, workspace);
      }))
    return;
  if (variant == GatherVariant::pixel_lanes)
    gather_by_positions(gather, source, kernel, bias, target, workspace);
  else
    gather_by_channels(gather, source, kernel, bias, target, workspace);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
