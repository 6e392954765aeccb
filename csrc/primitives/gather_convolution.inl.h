// Convolution forward, backward-data and backward-weight as blocked matrix products whose right-hand side is
// gathered from the image while it is packed, so that no column matrix is ever stored.
//
// Forward and backward-data are one loop. Along each axis, output o of a gather sums the source at
//   o * step + base + t * base_step,   t in [0, taps),
// where it exists. Forward has step = stride; backward-data with stride u is u separate gathers with step 1,
// one for each remainder of the output position by u, each with the kernel taps that reach it.
#pragma once

#include <numeric>

#include "primitives/convolution.h"
#include "primitives/gemm.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

struct GatherAxis {
  std::int64_t source;                 // extent of what is read
  std::int64_t outputs, step;          // positions written, and how far the source moves from one to the next
  std::int64_t taps, base, base_step;  // kernel taps that take part, where the first reads, how far the next
  std::int64_t kernel_begin, kernel_step;          // which taps of the kernel they are
  std::int64_t target, target_begin, target_step;  // extent of what is written, first position, distance
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
  const std::int64_t limit = std::min(period, kernel);
  std::int64_t first = 0;
  while (first < limit && (phase + padding - first * dilation) % stride != 0) ++first;
  const std::int64_t taps = first < limit ? ceil_div(kernel - first, period) : 0;
  const std::int64_t outputs = phase < target ? ceil_div(target - phase, stride) : 0;
  const std::int64_t base = taps ? (phase + padding - first * dilation) / stride : 0;
  return {source, outputs, 1, taps, base, -(dilation / divisor), first, period, target, phase, stride};
}

/// A gather over (images, groups * channels, h, w) that gives (images, groups * rows, h', w'). The kernel's
/// element for (group, row, channel, r, s) lies at group * group_stride + row * row_stride + channel *
/// channel_stride + r * S + s.
struct Gather {
  std::int64_t images, groups, rows, channels;
  GatherAxis h, w;
  std::int64_t group_stride, row_stride, channel_stride, S;

  std::int64_t taps() const { return h.taps * w.taps; }
  std::int64_t depth() const { return channels * taps(); }
  std::int64_t pixels() const { return h.outputs * w.outputs; }
  std::int64_t source_plane() const { return h.source * w.source; }
  std::int64_t target_plane() const { return h.target * w.target; }

  std::int64_t kernel_offset(std::int64_t row, std::int64_t k) const {
    const std::int64_t channel = k / taps(), tap = k % taps();
    const std::int64_t r = h.kernel_begin + tap / w.taps * h.kernel_step,
                       s = w.kernel_begin + tap % w.taps * w.kernel_step;
    return row * row_stride + channel * channel_stride + r * S + s;
  }
};

/// Where a pointwise gather reads and writes whole planes in order, they are single rows: longer runs to
/// copy.
FASTDL_INLINE Gather flattened(Gather gather) {
  const auto pointwise = [](const GatherAxis& axis) {
    return axis.taps == 1 && axis.base == 0 && axis.step == 1 && axis.source == axis.outputs &&
           axis.target_step == 1 && axis.target == axis.outputs;
  };
  if (!pointwise(gather.h) || !pointwise(gather.w)) return gather;
  const std::int64_t kernel_begin = gather.h.kernel_begin;
  gather.w.source = gather.w.outputs = gather.w.target = gather.source_plane();
  gather.h = {1, 1, 1, 1, 0, 1, kernel_begin, 1, 1, 0, 1};
  return gather;
}

/// A run of neighbouring output positions within one row.
struct Run {
  std::int64_t h, w;  // of the source for tap base 0: output position times step
  int begin, count;   // which elements of the panel
};

/// Cuts output positions [pixel, pixel + count) into runs.
FASTDL_INLINE int cut_into_runs(const GatherAxis& h, const GatherAxis& w, std::int64_t pixel, int count,
                                Run* runs) {
  int cut = 0;
  for (int begin = 0; begin < count;) {
    const std::int64_t row = (pixel + begin) / w.outputs, column = (pixel + begin) % w.outputs;
    const int length = static_cast<int>(std::min<std::int64_t>(count - begin, w.outputs - column));
    runs[cut++] = {row * h.step, column * w.step, begin, length};
    begin += length;
  }
  return cut;
}

/// Copies source[w], source[w + step], ... of one row of `extent` elements, zeros outside.
template <class T>
FASTDL_INLINE void copy_run(const T* source, std::int64_t extent, std::int64_t w, std::int64_t step,
                            int count, T* to) {
  if (step == 1 && w >= 0 && w + count <= extent) {
    int i = 0;
    for (; i + lanes<T> <= count; i += lanes<T>) store(to + i, load(source + w + i));
    for (; i < count; ++i) to[i] = source[w + i];
    return;
  }
  for (int i = 0; i < count; ++i, w += step) to[i] = w >= 0 && w < extent ? source[w] : T(0);
}

/// Packs B for output positions: element (k, pixel) is what tap k of the kernel meets there.
template <class T>
void pack_gathered(const Gather& gather, const T* source, T* to, std::int64_t k, std::int64_t depth,
                   std::int64_t pixel, int count) {
  Run runs[tile_columns<T>];
  const int run_count = cut_into_runs(gather.h, gather.w, pixel, count, runs);
  std::int64_t channel = k / gather.taps(), r = k % gather.taps() / gather.w.taps, s = k % gather.w.taps;
  for (std::int64_t d = 0; d < depth; ++d, to += tile_columns<T>) {
    const T* plane = source + channel * gather.source_plane();
    const std::int64_t base_h = gather.h.base + r * gather.h.base_step,
                       base_w = gather.w.base + s * gather.w.base_step;
    for (int i = 0; i < run_count; ++i) {
      const Run& run = runs[i];
      const std::int64_t h = run.h + base_h;
      if (h < 0 || h >= gather.h.source) {
        for (int j = 0; j < run.count; ++j) to[run.begin + j] = T(0);
      } else {
        copy_run(plane + h * gather.w.source, gather.w.source, run.w + base_w, gather.w.step, run.count,
                 to + run.begin);
      }
    }
    for (int j = count; j < tile_columns<T>; ++j) to[j] = T(0);
    if (++s == gather.w.taps) {
      s = 0;
      if (++r == gather.h.taps) {
        r = 0;
        ++channel;
      }
    }
  }
}

/// Columns of C that are output positions `target_step` apart.
struct SpreadColumns {
  static constexpr bool contiguous = false;
  const Gather* gather;
  std::int64_t pixel;
  std::int64_t operator()(std::int64_t j) const {
    const GatherAxis &h = gather->h, &w = gather->w;
    const std::int64_t row = (pixel + j) / w.outputs, column = (pixel + j) % w.outputs;
    return (h.target_begin + row * h.target_step) * w.target + w.target_begin + column * w.target_step;
  }
};

template <class T>
FASTDL_INLINE std::size_t gather_workspace_bytes(const Gather& gather) {
  return static_cast<std::size_t>(gather.groups * packed_size(gather.rows, gather.depth())) * sizeof(T);
}

/// target = gather of source with the kernel, plus bias (groups * rows, may be null). Writes only its own
/// positions.
template <class T>
void run_gather(const Gather& given, const T* source, const T* kernel, const T* bias, T* target,
                void* workspace) {
  const Gather gather = flattened(given);
  const std::int64_t depth = gather.depth(), packed_group = packed_size(gather.rows, depth);
  const std::int64_t panels = ceil_div(gather.rows, tile_rows);
  T* packed = static_cast<T*>(workspace);
  parallel_for(gather.groups * panels, [&](std::int64_t chunk) {
    const std::int64_t group = chunk / panels;
    const T* group_kernel = kernel + group * gather.group_stride;
    pack_a_panel(
        chunk % panels, gather.rows, depth,
        [&](std::int64_t row, std::int64_t k) { return group_kernel[gather.kernel_offset(row, k)]; },
        packed + group * packed_group);
  });

  const BlockPlan plan = plan_blocks<T>(gather.rows, gather.pixels(), depth);
  const bool contiguous = gather.h.target_step == 1 && gather.w.target_step == 1;
  parallel_for(gather.images * gather.groups * plan.chunks(), [&](std::int64_t chunk) {
    const std::int64_t plane_group = chunk / plan.chunks(), group = plane_group % gather.groups,
                       part = chunk % plan.chunks();
    const std::int64_t pixel = part % plan.column_chunks * plan.columns_per_chunk;
    const std::int64_t row = part / plan.column_chunks * plan.rows_per_chunk;
    const std::int64_t pixel_end = std::min(gather.pixels(), pixel + plan.columns_per_chunk);
    const std::int64_t row_end = std::min(gather.rows, row + plan.rows_per_chunk);
    const T* planes = source + plane_group * gather.channels * gather.source_plane();
    const auto pack_b = [&](T* to, std::int64_t k, std::int64_t panel_depth, std::int64_t column, int count) {
      pack_gathered(gather, planes, to, k, panel_depth, column, count);
    };
    const auto multiply = [&](const auto& columns_at) {
      multiply_block(packed + group * packed_group, row, row_end, pixel, pixel_end, depth, pack_b,
                     target + plane_group * gather.rows * gather.target_plane(), gather.target_plane(),
                     columns_at, bias ? bias + group * gather.rows : nullptr, false);
    };
    if (contiguous) {
      multiply([](std::int64_t j) { return ContiguousColumns{j}; });
    } else {
      multiply([&](std::int64_t j) { return SpreadColumns{&gather, j}; });
    }
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
