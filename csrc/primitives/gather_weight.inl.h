// The gradient of a convolution's kernel: grad_kernel[row, (channel, r, s)] sums, over images and output
// positions, the product of what came back at the position and what the tap met there.
#pragma once

#include "primitives/gather_convolution.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// How the sum over images and positions is cut: into units of block_depth positions of one image, shared out
/// over `splits` partial sums that are added in order. A matter of shape alone.
struct WeightPlan {
  std::int64_t units_per_image, units, splits, column_chunks;
  std::int64_t unit_begin(std::int64_t split) const { return split * units / splits; }
};

template <class T>
FASTDL_INLINE WeightPlan plan_weight(const Gather& gather) {
  constexpr std::int64_t wanted_chunks = 16;
  WeightPlan plan;
  plan.units_per_image = ceil_div(gather.pixels(), block_depth);
  plan.units = gather.images * plan.units_per_image;
  plan.column_chunks = ceil_div(gather.depth(), block_columns<T>);
  const std::int64_t chunks = std::max<std::int64_t>(1, gather.groups * plan.column_chunks);
  plan.splits = std::clamp<std::int64_t>(wanted_chunks / chunks, 1, std::max<std::int64_t>(1, plan.units));
  return plan;
}

/// Packs B for kernel taps: element (position, tap) is what the tap meets at the position.
template <class T>
void pack_taps(const Gather& gather, const T* source, T* to, std::int64_t pixel, std::int64_t depth,
               std::int64_t tap_begin, int count) {
  T gathered[block_depth];
  Run runs[block_depth];
  const int run_count = cut_into_runs(gather.h, gather.w, pixel, static_cast<int>(depth), runs);
  for (int j = 0; j < tile_columns<T>; ++j) {
    if (j >= count) {
      for (std::int64_t d = 0; d < depth; ++d) to[d * tile_columns<T> + j] = T(0);
      continue;
    }
    const std::int64_t channel = (tap_begin + j) / gather.taps(), tap = (tap_begin + j) % gather.taps();
    const T* plane = source + channel * gather.source_plane();
    const std::int64_t base_h = gather.h.base + tap / gather.w.taps * gather.h.base_step;
    const std::int64_t base_w = gather.w.base + tap % gather.w.taps * gather.w.base_step;
    for (int i = 0; i < run_count; ++i) {
      const Run& run = runs[i];
      const std::int64_t h = run.h + base_h;
      const bool inside = h >= 0 && h < gather.h.source;
      copy_run(plane + (inside ? h : 0) * gather.w.source, inside ? gather.w.source : 0, run.w + base_w,
               gather.w.step, run.count, gathered + run.begin);
    }
    for (std::int64_t d = 0; d < depth; ++d) to[d * tile_columns<T> + j] = gathered[d];
  }
}

/// Adds one unit's products to `sum` (rows x depth): columns [column, column_end).
template <class T>
void add_weight_unit(const Gather& gather, const T* source, const T* grad_target, std::int64_t pixel,
                     std::int64_t positions, std::int64_t column, std::int64_t column_end, bool first,
                     T* sum) {
  alignas(64) T packed_b[block_depth * block_columns<T>];
  alignas(64) T packed_a[block_depth * tile_rows];
  Tile<T> tile;
  for (std::int64_t j = column; j < column_end; j += tile_columns<T>)
    pack_taps(gather, source, packed_b + (j - column) * block_depth, pixel, positions, j,
              static_cast<int>(std::min<std::int64_t>(tile_columns<T>, column_end - j)));
  const Matrix<T> a{grad_target + pixel, gather.pixels(), 1};
  for (std::int64_t i = 0; i < gather.rows; i += tile_rows) {
    const std::int64_t rows = std::min<std::int64_t>(tile_rows, gather.rows - i);
    pack_a_panel(
        0, rows, positions, [&](std::int64_t row, std::int64_t k) { return a(i + row, k); }, packed_a);
    for (std::int64_t j = column; j < column_end; j += tile_columns<T>) {
      multiply_panels(positions, packed_a, packed_b + (j - column) * block_depth, tile);
      write_tile(tile, static_cast<int>(rows),
                 static_cast<int>(std::min<std::int64_t>(tile_columns<T>, column_end - j)), first,
                 static_cast<const T*>(nullptr), sum + i * gather.depth(), gather.depth(),
                 ContiguousColumns{j});
    }
  }
}

template <class T>
FASTDL_INLINE std::size_t gather_weight_workspace_bytes(const Gather& gather) {
  const std::int64_t splits = plan_weight<T>(gather).splits;
  return splits == 1
             ? 0
             : static_cast<std::size_t>(splits * gather.groups * gather.rows * gather.depth()) * sizeof(T);
}

/// grad_kernel (groups * rows, channels, taps) of a forward gather from its source and the gradient of its
/// target.
template <class T>
void run_gather_weight(const Gather& given, const T* source, const T* grad_target, T* grad_kernel,
                       void* workspace) {
  const Gather gather = flattened(given);
  const WeightPlan plan = plan_weight<T>(gather);
  const std::int64_t group_size = gather.rows * gather.depth(), size = gather.groups * group_size;
  T* partial = plan.splits == 1 ? grad_kernel : static_cast<T*>(workspace);
  parallel_for(plan.splits * gather.groups * plan.column_chunks, [&](std::int64_t chunk) {
    const std::int64_t column = chunk % plan.column_chunks * block_columns<T>;
    const std::int64_t column_end = std::min<std::int64_t>(gather.depth(), column + block_columns<T>);
    const std::int64_t group = chunk / plan.column_chunks % gather.groups;
    const std::int64_t split = chunk / plan.column_chunks / gather.groups;
    T* sum = partial + split * size + group * group_size;
    for (std::int64_t unit = plan.unit_begin(split); unit < plan.unit_begin(split + 1); ++unit) {
      const std::int64_t plane_group = unit / plan.units_per_image * gather.groups + group;
      const std::int64_t pixel = unit % plan.units_per_image * block_depth;
      add_weight_unit(gather, source + plane_group * gather.channels * gather.source_plane(),
                      grad_target + plane_group * gather.rows * gather.pixels(), pixel,
                      std::min<std::int64_t>(block_depth, gather.pixels() - pixel), column, column_end,
                      unit == plan.unit_begin(split), sum);
    }
  });
  if (plan.units == 0) std::fill(grad_kernel, grad_kernel + size, T(0));
  if (plan.splits == 1) return;
  constexpr std::int64_t step = 4096;
  parallel_for(ceil_div(size, step), [&](std::int64_t chunk) {
    for (std::int64_t i = chunk * step; i < std::min(size, (chunk + 1) * step); ++i) {
      T sum = partial[i];
      for (std::int64_t split = 1; split < plan.splits; ++split) sum += partial[split * size + i];
      grad_kernel[i] = sum;
    }
  });
}

/// sums[channel] of an (images, channels, plane) array.
template <class T>
void sum_planes(const T* values, std::int64_t images, std::int64_t channels, std::int64_t plane, T* sums) {
  parallel_for(channels, [&](std::int64_t channel) {
    double sum = 0;
    for (std::int64_t image = 0; image < images; ++image) {
      const T* row = values + (image * channels + channel) * plane;
      Vec<T> partial{};
      std::int64_t i = 0;
      for (; i + lanes<T> <= plane; i += lanes<T>) partial += load(row + i);
      if (i < plane) partial += load_partial(row + i, static_cast<int>(plane - i));
      sum += reduce_add(partial);
    }
    sums[channel] = static_cast<T>(sum);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
