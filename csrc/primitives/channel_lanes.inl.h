// A gather whose output channels are the lanes: the kernel is packed into panels, the image is read where it
// lies.
#pragma once

#include <limits>

#include "primitives/lane_output.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// How a gather with channels as lanes is cut.
struct ChannelLanesPlan : GatherPlan {
  bool scattered;         // rows of a tile may lie anywhere: for images smaller than some tiles
  std::int64_t channels;  // of the source that a block of the depth has
};

/// Chunks that a gather is cut into where its work is enough.
inline constexpr std::int64_t wanted_chunks = 16;

/// Very small images fill tiles, and meet the kernel, together: as many of up to `most` positions as cost
/// least. The kernel is fetched once for each bundle, and its images are copied by each of the chunks that
/// must share a bundle where there are few.
inline std::int64_t images_together(const Gather& gather, const ChannelLanesPlan& plan, std::int64_t most) {
  constexpr std::int64_t small = 32, band_elements = 1 << 17, cached_elements = 1 << 18;
  const std::int64_t pixels = plan.band.pixels();
  const std::int64_t kernel = gather.rows * gather.channels * gather.all_taps();
  if (plan.band.rectangles() > 1 || pixels > small || kernel <= cached_elements) return 1;
  const std::int64_t band = plan.band.direct ? 0 : plan.band.channel_pitch;
  const double fetch = 0.2 * static_cast<double>(kernel);  // cycles
  const double copy = 1.5 * static_cast<double>(gather.images * gather.channels * band);
  std::int64_t best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t together = 1; together <= gather.images && together * pixels <= most &&
                                  together * plan.channels * band <= band_elements;
       together *= 2) {
    const std::int64_t bundles = ceil_div(gather.images, together);
    const std::int64_t sharing = std::clamp<std::int64_t>(wanted_chunks / bundles, 1, plan.panels);
    const double cost = static_cast<double>(bundles) * fetch + static_cast<double>(sharing) * copy;
    if (cost < least) best = together, least = cost;
  }
  return best;
}

template <class T>
ChannelLanesPlan plan_channel_lanes(const Gather& gather) {
  constexpr std::int64_t buffer_elements = 65536, chunk_work = 1 << 21;
  ChannelLanesPlan plan{};
  plan.panels = ceil_div(gather.rows, panel_width<T>);
  const std::int64_t depth = std::max<std::int64_t>(1, gather.channels * gather.all_taps());
  const std::int64_t pixel_work = gather.rows * depth;
  // Enough positions to repay fetching the kernel, few enough for the results to stay in the second-level
  // cache.
  const std::int64_t most =
      std::clamp<std::int64_t>(buffer_elements / (plan.panels * panel_width<T> * gather.phases), 56, 448);
  plan.band = plan_bands<T>(gather, most, false);
  // A band that is copied costs every chunk that shares its rectangle: better more rectangles than more
  // shares.
  if (!plan.band.direct)
    plan.band = plan_bands<T>(
        gather, std::clamp<std::int64_t>(2 * chunk_work / std::max<std::int64_t>(1, pixel_work), 56, most),
        false);
  const std::int64_t taps = std::max<std::int64_t>(1, gather.all_taps() / gather.phases);
  plan.channels = std::max<std::int64_t>(1, lane_depth / taps);
  if (gather.channels < 3 * plan.channels / 2) plan.channels = std::max<std::int64_t>(1, gather.channels);
  plan.together = images_together(gather, plan, most);
  plan.scattered = plan.band.columns < 5 || plan.together > 1;
  const std::int64_t whole = std::max<std::int64_t>(
      1, ceil_div(gather.images, plan.together) * gather.groups * plan.band.rectangles());
  const std::int64_t by_work = plan.together * plan.band.pixels() * pixel_work / chunk_work;
  plan.panel_splits =
      std::clamp<std::int64_t>(std::min(ceil_div(wanted_chunks, whole), by_work), 1, plan.panels);
  return plan;
}

// ---- the packed kernel

/// Panels of all groups and phases; the last panel of a group has one vector where that is enough.
template <class T>
struct PackedKernel {
  const Gather* gather;
  T* elements;

  std::int64_t padded_rows() const { return ceil_div(gather->rows, lanes<T>) * lanes<T>; }
  std::int64_t group_size() const { return padded_rows() * gather->channels * gather->all_taps(); }
  std::int64_t size() const { return gather->groups * group_size(); }
  int vectors(std::int64_t panel) const {
    return gather->rows - panel * panel_width<T> > lanes<T> ? tile_vectors : 1;
  }
  /// Depth-major: (channels, taps, vectors * lanes).
  T* panel(std::int64_t group, int phase, std::int64_t index) const {
    T* at = elements + group * group_size();
    for (int earlier = 0; earlier < phase; ++earlier)
      at += padded_rows() * gather->channels * gather->taps(earlier);
    return at + index * panel_width<T> * gather->channels * gather->taps(phase);
  }
};

/// Whether the kernel of a row is read from its first element to its last.
FASTDL_INLINE bool kernel_in_order(const Gather& gather) {
  const GatherAxis &h = gather.h, &w = gather.w[0];
  return gather.phases == 1 && h.kernel_begin == 0 && h.kernel_step == 1 && w.kernel_begin == 0 &&
         w.kernel_step == 1 && gather.taps(0) == gather.channel_stride && w.taps == gather.S;
}

/// Channels [begin, end) of one vector of rows, the first of which is `kernel`; `to` is where the vector's
/// panel begins, `width` apart from one step of the depth to the next.
template <class T>
void pack_in_order(const Gather& gather, const T* kernel, int rows, std::int64_t begin, std::int64_t end,
                   std::int64_t width, T* to) {
  const std::int64_t taps = gather.taps(0);
  for (std::int64_t k = begin * taps; k < end * taps; k += lanes<T>)
    turn_rows(kernel + k, gather.row_stride, rows,
              static_cast<int>(std::min<std::int64_t>(lanes<T>, end * taps - k)), width, to + k * width);
}

/// The same for any order of taps, all phases at once: to[phase] is where the vector's panel of a phase
/// begins.
template <class T>
void pack_by_taps(const Gather& gather, const T* kernel, int rows, std::int64_t begin, std::int64_t end,
                  std::int64_t width, T* const* to) {
  alignas(64) T turned[lanes<T> * lanes<T>];
  const std::int64_t extent =
      gather.channel_stride < gather.row_stride ? gather.channel_stride : gather.row_stride;
  for (std::int64_t c = begin; c < end; ++c) {
    const T* from = kernel + c * gather.channel_stride;
    // Rows lie side by side, but in too many streams for the processor's own prefetching.
    for (std::int64_t i = 0; i < rows * gather.row_stride; i += 64 / sizeof(T))
      __builtin_prefetch(from + 1024 + i);
    for (std::int64_t first = 0; first < extent; first += lanes<T>) {
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, extent - first));
      if (gather.row_stride == 1)
        store(turned, load_up_to(from, rows));
      else
        turn_rows(from + first, gather.row_stride, rows, count, lanes<T>, turned);
      for (int phase = 0; phase < gather.phases; ++phase) {
        T* row = to[phase] + c * gather.taps(phase) * width;
        for (std::int64_t r = 0; r < gather.h.taps; ++r)
          for (std::int64_t s = 0; s < gather.w[phase].taps; ++s, row += width) {
            const std::int64_t element = gather.kernel_tap(phase, r, s) - first;
            if (element >= 0 && element < count) store(row, load(turned + element * lanes<T>));
          }
      }
    }
  }
}

/// The same where rows lie side by side and there is one tap, in `phase`: vectors of rows, as they are.
template <class T>
void pack_side_by_side(const Gather& gather, const T* kernel, std::int64_t group, int phase,
                       std::int64_t begin, std::int64_t end, const PackedKernel<T>& packed) {
  const std::int64_t vectors = ceil_div(gather.rows, lanes<T>);
  for (std::int64_t c = begin; c < end; ++c) {
    const T* from = kernel + c * gather.channel_stride + gather.kernel_tap(phase, 0, 0);
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t panel = v / tile_vectors;
      const int rows = static_cast<int>(std::min<std::int64_t>(lanes<T>, gather.rows - v * lanes<T>));
      store(packed.panel(group, phase, panel) + (c * packed.vectors(panel) + v % tile_vectors) * lanes<T>,
            load_up_to(from + v * lanes<T>, rows));
    }
  }
}

/// Packs what a chunk's share of the channels holds. Kernels are read in the order in which they lie in
/// memory.
template <class T>
void pack_kernel(const Gather& gather, const T* kernel, const PackedKernel<T>& packed) {
  constexpr std::int64_t chunk_elements = 1 << 14;
  const bool in_order = kernel_in_order(gather);
  int only = 0;  // the phase of the only tap
  while (only + 1 < gather.phases && gather.taps(only) == 0) ++only;
  const bool side_by_side = !in_order && gather.row_stride == 1 && gather.all_taps() == 1;
  const std::int64_t vectors = ceil_div(gather.rows, lanes<T>);
  const std::int64_t taps = std::max<std::int64_t>(1, gather.all_taps());
  const std::int64_t together = in_order ? 1 : vectors;  // vectors of rows that a chunk packs
  const EvenCut channels(
      gather.channels,
      std::max<std::int64_t>(in_order ? 16 : 1, chunk_elements / (together * lanes<T> * taps)));
  const std::int64_t shares = vectors / together;
  parallel_for(gather.groups * shares * channels.pieces, [&](std::int64_t chunk) {
    const std::int64_t piece = chunk % channels.pieces, share = chunk / channels.pieces % shares,
                       group = chunk / channels.pieces / shares;
    if (side_by_side)
      return pack_side_by_side(gather, kernel + group * gather.group_stride, group, only,
                               channels.begin(piece), channels.begin(piece + 1), packed);
    for (std::int64_t c = channels.begin(piece); c < channels.begin(piece + 1);) {
      const std::int64_t end = in_order ? channels.begin(piece + 1) : c + 1;
      for (std::int64_t v = share * together; v < (share + 1) * together; ++v) {
        const std::int64_t panel = v / tile_vectors, width = packed.vectors(panel) * lanes<T>;
        const int rows = static_cast<int>(std::min<std::int64_t>(lanes<T>, gather.rows - v * lanes<T>));
        const T* from = kernel + group * gather.group_stride + v * lanes<T> * gather.row_stride;
        T* to[Gather::most_phases];
        for (int phase = 0; phase < gather.phases; ++phase)
          to[phase] = packed.panel(group, phase, panel) + v % tile_vectors * lanes<T>;
        if (in_order)
          pack_in_order(gather, from, rows, c, end, width, to[0]);
        else
          pack_by_taps(gather, from, rows, c, end, width, to);
      }
      c = end;
    }
  });
}

// ---- the product

/// All tiles of a rectangle against one panel's block of the depth; results in (rows, columns, panel_width).
template <class T>
void multiply_rectangle(const DepthWalk& walk, const T* band, std::int64_t row_step, std::int64_t rows,
                        std::int64_t columns, const T* panel, int vectors, TileTarget<T> to) {
  if (row_step == columns) columns *= rows, rows = 1;  // rows without a gap
  const EvenCut cut(columns, run_rows);
  for (std::int64_t p = 0; p < rows; ++p) {
    for (std::int64_t i = 0; i < cut.pieces; ++i) {
      const std::int64_t q = cut.begin(i), count = cut.size(i);
      lane_tile<false, T>(static_cast<int>(count), vectors)(walk, band + p * row_step + q, nullptr, panel,
                                                            to);
      to.c += count * panel_width<T>;
    }
  }
}

/// The same with tiles of positions from several rows, of several images `image_step` apart.
template <class T>
void multiply_scattered(const DepthWalk& walk, const T* band, std::int64_t image_step, std::int64_t row_step,
                        std::int64_t images, std::int64_t rows, std::int64_t columns, const T* panel,
                        int vectors, TileTarget<T> to) {
  const EvenCut cut(images * rows * columns, scattered_rows);
  std::int64_t offsets[scattered_rows];
  std::int64_t column = 0, row = 0, image = 0;
  for (std::int64_t i = 0; i < cut.pieces; ++i) {
    const std::int64_t count = cut.size(i);
    for (std::int64_t j = 0; j < count; ++j) {
      offsets[j] = image * image_step + row * row_step + column;
      if (++column == columns) column = 0, ++row;
      if (row == rows) row = 0, ++image;
    }
    lane_tile<true, T>(static_cast<int>(count), vectors)(walk, band, offsets, panel, to);
    to.c += count * panel_width<T>;
  }
}

/// A chunk's scratch memory: for each image a band, and results for `panels` panels of every phase.
template <class T>
struct ChannelLanesScratch {
  std::int64_t band_size, buffer_size;
  std::size_t bytes;

  ChannelLanesScratch(const Gather& gather, const ChannelLanesPlan& plan, std::int64_t panels) {
    band_size =
        plan.band.direct ? 0 : ceil_div(plan.channels * plan.band.channel_pitch + band_slack<T>, 16) * 16;
    buffer_size = plan.together * plan.band.pixels() * panel_width<T>;
    bytes = static_cast<std::size_t>(plan.together * band_size + panels * gather.phases * buffer_size) *
            sizeof(T);
  }
};

template <class T>
struct ChannelLanesOperands {
  const T* source;
  const T* bias;  // a whole number of vectors for each group, or null
  T* target;
  PackedKernel<T> kernel;
  const std::int64_t* tap_offsets;  // of all phases, one after another
};

/// A chunk: one rectangle of some images, from that of `at` on, and a group.
struct LaneChunk {
  Rectangle at;
  std::int64_t images, group;
};

/// A block of the depth: channels [begin, end) of a group, and whether it is the first or the last.
struct DepthBlock {
  std::int64_t begin, end;
  bool first, last;
};

/// A chunk's bands, `step` apart, against one panel, in every phase: results in `results`, one buffer for
/// each phase.
template <class T>
void multiply_panel(const Gather& gather, const ChannelLanesPlan& plan,
                    const ChannelLanesOperands<T>& operands, const LaneChunk& chunk, const DepthBlock& block,
                    std::int64_t panel, const T* band, std::int64_t step, LaneBuffer<T>* buffers, T* results,
                    std::int64_t buffer_size) {
  const Rectangle& at = chunk.at;
  const int vectors = operands.kernel.vectors(panel);
  const std::int64_t* offsets = operands.tap_offsets;
  const std::int64_t first_row = chunk.group * operands.kernel.padded_rows() + panel * panel_width<T>;
  const T* bias = operands.bias ? operands.bias + first_row : nullptr;
  for (int phase = 0; phase < gather.phases; ++phase, results += buffer_size) {
    const std::int64_t taps = gather.taps(phase);
    const std::int64_t columns = std::clamp<std::int64_t>(gather.w[phase].outputs - at.column, 0, at.columns);
    const DepthWalk walk{taps > 0 ? block.end - block.begin : 0, plan.band.channel_pitch, offsets, taps};
    const T* kernel =
        operands.kernel.panel(chunk.group, phase, panel) + block.begin * taps * vectors * lanes<T>;
    const TileTarget<T> to{results, panel_width<T>, bias, !block.first};
    buffers[phase] = {results, columns};
    offsets += taps;
    if (columns == 0 || (taps == 0 && !block.first)) continue;
    if (plan.scattered)
      multiply_scattered(walk, band, step, plan.band.output_pitch(), chunk.images, at.rows, columns, kernel,
                         vectors, to);
    else
      multiply_rectangle(walk, band, plan.band.output_pitch(), at.rows, columns, kernel, vectors, to);
  }
}

/// Writes a panel's results to the planes of `target`, the first of its group's.
template <class T>
void write_panel(const Gather& gather, const LaneChunk& chunk, std::int64_t panel, int vectors,
                 const LaneBuffer<T>* results, T* target) {
  for (std::int64_t i = 0; i < chunk.images; ++i)
    for (int v = 0; v < vectors; ++v) {
      LaneBuffer<T> buffers[Gather::most_phases];
      for (int phase = 0; phase < gather.phases; ++phase) {
        const std::int64_t columns = results[phase].columns;
        buffers[phase] = {results[phase].values + i * chunk.at.rows * columns * panel_width<T> + v * lanes<T>,
                          columns};
      }
      const std::int64_t row = panel * panel_width<T> + v * lanes<T>;
      write_lanes(gather, chunk.at.of_image(chunk.at.image + i), buffers,
                  static_cast<int>(std::min<std::int64_t>(lanes<T>, gather.rows - row)),
                  target + row * gather.target.channel);
    }
}

/// Panels [first, last) of a chunk.
template <class T>
void gather_chunk(const Gather& gather, const ChannelLanesPlan& plan, const ChannelLanesOperands<T>& operands,
                  const LaneChunk& chunk, std::int64_t first, std::int64_t last) {
  const EvenCut blocks(std::max<std::int64_t>(1, gather.channels), plan.channels);
  const std::int64_t kept =
      blocks.pieces > 1 ? last - first : 1;  // panels whose results wait for the next block
  const ChannelLanesScratch<T> sizes(gather, plan, kept);
  const Workspace memory(sizes.bytes);
  T* const scratch = static_cast<T*>(memory.data());
  T* const results = scratch + plan.together * sizes.band_size;
  const std::int64_t step = band_distance(gather, plan.band, sizes.band_size);
  const T* source = operands.source + chunk.group * gather.channels * gather.source.channel;
  T* target = operands.target + chunk.group * gather.rows * gather.target.channel;
  for (std::int64_t b = 0; b < blocks.pieces; ++b) {
    const DepthBlock block{blocks.begin(b), std::min(gather.channels, blocks.begin(b + 1)), b == 0,
                           b + 1 == blocks.pieces};
    const T* band = bands_of(gather, plan.band, chunk.at, chunk.images, source, block.begin, block.end,
                             scratch, sizes.band_size);
    for (std::int64_t panel = first; panel < last; ++panel) {
      LaneBuffer<T> buffers[Gather::most_phases];
      T* const own = results + (kept > 1 ? panel - first : 0) * gather.phases * sizes.buffer_size;
      multiply_panel(gather, plan, operands, chunk, block, panel, band, step, buffers, own,
                     sizes.buffer_size);
      if (block.last) write_panel(gather, chunk, panel, operands.kernel.vectors(panel), buffers, target);
    }
  }
}

template <class T>
void run_channel_lanes(const Gather& gather, const ChannelLanesPlan& plan,
                       const ChannelLanesOperands<T>& operands) {
  for_gather_chunks(
      gather, plan,
      [&](std::int64_t group, const Rectangle& at, std::int64_t images, std::int64_t first,
          std::int64_t last) { gather_chunk(gather, plan, operands, {at, images, group}, first, last); });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
