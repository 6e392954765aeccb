// A gather whose output positions are the lanes: for few output channels, and where rows of the image are
// long and the depth is small, for results need no turning. The image is read where it lies, the kernel one
// broadcast at a time.
#pragma once

#include "primitives/activation.inl.h"
#include "primitives/image_band.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

inline constexpr int most_position_vectors = 8;

/// Vectors of positions in a tile of `rows` channels: as many as the registers hold beside a row of them.
FASTDL_INLINE constexpr int position_vectors(int rows) {
#if FASTDL_VECTOR_BYTES == 64 || defined(__aarch64__)
  constexpr int registers = 31;
#else
  constexpr int registers = 15;
#endif
  const int vectors = registers / (rows + 1);
  return std::clamp(vectors, 1, most_position_vectors);
}

/// How a gather with positions as lanes is cut. Vectors of a rectangle are numbered row by row.
struct PixelLanesPlan : GatherPlan {
  int height;             // channels of a panel; the last one may be padded with zeros
  std::int64_t channels;  // of the source that a block of the depth has
  int width() const { return position_vectors(height); }
};

/// The vectors of one phase of a rectangle, as many for each phase. Where the band is the source itself, the
/// last vector of a row begins early instead of reaching past the row's end: what it shares with its
/// neighbour is the same bits.
template <class T>
struct PositionVectors {
  std::int64_t rows, columns, per_row, row_step;
  bool overlap;

  std::int64_t count() const { return rows * per_row; }
  std::int64_t row(std::int64_t index) const { return index / per_row; }
  std::int64_t column(std::int64_t index) const {
    const std::int64_t begin = index % per_row * lanes<T>;
    return overlap ? std::min(begin, columns - lanes<T>) : begin;
  }
  std::int64_t offset(std::int64_t index) const { return row(index) * row_step + column(index); }
};

template <class T>
PixelLanesPlan plan_pixel_lanes(const Gather& gather) {
  constexpr std::int64_t buffer_elements = 65536, wanted_chunks = 16, chunk_work = 1 << 21;
  PixelLanesPlan plan{};
  plan.panels = ceil_div(gather.rows, tile_rows);
  plan.height = static_cast<int>(ceil_div(gather.rows, plan.panels));
  const std::int64_t depth = std::max<std::int64_t>(1, gather.channels * gather.all_taps());
  const std::int64_t pixel_work = gather.rows * depth;
  const std::int64_t most = std::clamp<std::int64_t>(
      buffer_elements / (std::max<std::int64_t>(1, gather.rows) * gather.phases), 64, 4096);
  std::int64_t pixels =
      std::clamp<std::int64_t>(2 * chunk_work / std::max<std::int64_t>(1, pixel_work), 64, most);
  const bool copy = gather.phases > 1 || gather.columns() < 2 * lanes<T>;
  if (gather.columns() > pixels) pixels = ceil_div(pixels, 2 * lanes<T>) * 2 * lanes<T>;
  plan.band = plan_bands<T>(gather, pixels, copy);
  const std::int64_t whole =
      std::max<std::int64_t>(1, gather.images * gather.groups * plan.band.rectangles());
  const std::int64_t by_work = plan.band.pixels() * pixel_work / chunk_work;
  plan.panel_splits =
      std::clamp<std::int64_t>(std::min(ceil_div(wanted_chunks, whole), by_work), 1, plan.panels);
  const std::int64_t taps = std::max<std::int64_t>(1, gather.all_taps() / gather.phases);
  plan.channels = std::max<std::int64_t>(1, 128 / taps);
  if (gather.channels < 3 * plan.channels / 2) plan.channels = std::max<std::int64_t>(1, gather.channels);
  return plan;
}

/// Rows x vectors of sums, side by side in `to`.
template <int Rows, class T>
__attribute__((noinline)) void multiply_positions(const DepthWalk& walk, const T* band,
                                                  const std::int64_t* vector_offsets, const T* kernel,
                                                  bool accumulate, T* to) {
  constexpr int vectors = position_vectors(Rows);
  Vec<T> sums[Rows][vectors] = {};
  std::int64_t offset[vectors];
#pragma GCC unroll 8
  for (int j = 0; j < vectors; ++j) offset[j] = vector_offsets[j];
  const std::int64_t* const inner_end = walk.inner + walk.inner_count;
  for (std::int64_t o = walk.outer; o > 0; --o, band += walk.outer_stride) {
    for (const std::int64_t* inner = walk.inner; inner != inner_end; ++inner, kernel += Rows) {
      const T* at = band + *inner;
      Vec<T> row[vectors];
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) {
        row[j] = load(at + offset[j]);
        // For the tile after the next, as in lane_tile.inl.h, where the sums leave the loads room for it.
        if constexpr (Rows >= 4) __builtin_prefetch(at + offset[j] + 2 * vectors * lanes<T>);
      }
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) sums[i][j] += kernel[i] * row[j];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      T* c = to + (i * vectors + j) * lanes<T>;
      store(c, accumulate ? sums[i][j] + load(c) : sums[i][j]);
    }
  }
}

/// Elements of a tile's results.
template <class T>
inline constexpr std::int64_t position_tile_size = 32 * lanes<T>;

template <class T>
using PositionTile = void (*)(const DepthWalk&, const T*, const std::int64_t*, const T*, bool, T*);

template <class T, std::size_t... I>
FASTDL_INLINE PositionTile<T> position_tile(int rows, std::index_sequence<I...>) {
  static constexpr PositionTile<T> tiles[] = {multiply_positions<I + 1, T>...};
  return tiles[rows - 1];
}

/// Where the kernel of a panel lies once packed: (channels, taps, height).
template <class T>
struct PositionKernel {
  const Gather* gather;
  const PixelLanesPlan* plan;
  T* elements;

  std::int64_t rows() const { return plan->panels * plan->height; }
  T* panel(std::int64_t group, int phase, std::int64_t index) const {
    T* at = elements + group * rows() * gather->channels * gather->all_taps();
    for (int earlier = 0; earlier < phase; ++earlier) at += rows() * gather->channels * gather->taps(earlier);
    return at + index * plan->height * gather->channels * gather->taps(phase);
  }
};

template <class T>
void pack_position_kernel(const Gather& gather, const T* kernel, const PositionKernel<T>& packed) {
  const std::int64_t panels = packed.plan->panels, height = packed.plan->height;
  parallel_for(gather.groups * panels, [&](std::int64_t chunk) {
    const std::int64_t panel = chunk % panels, group = chunk / panels, first = panel * height;
    const std::int64_t rows = std::min(height, gather.rows - first);
    for (int phase = 0; phase < gather.phases; ++phase) {
      T* to = packed.panel(group, phase, panel);
      const T* from = kernel + group * gather.group_stride + first * gather.row_stride;
      for (std::int64_t c = 0; c < gather.channels; ++c, from += gather.channel_stride)
        for (std::int64_t r = 0; r < gather.h.taps; ++r)
          for (std::int64_t s = 0; s < gather.w[phase].taps; ++s, to += height) {
            const T* tap = from + gather.kernel_tap(phase, r, s);
            for (std::int64_t i = 0; i < height; ++i) to[i] = i < rows ? tap[i * gather.row_stride] : T(0);
          }
    }
  });
}

template <class T>
struct PixelLanesOperands {
  const T* source;
  const T* bias;  // groups * rows, or null
  T* target;
  PositionKernel<T> kernel;
  const std::int64_t* tap_offsets;  // of all phases, one after another
};

/// A tile's results in every phase, where its vectors stand in the rectangle, and where they go: vector i of
/// a channel's plane at `to[i]`, `valid[phase][i]` of its lanes.
template <class T>
struct PositionResults {
  const PositionVectors<T>* vectors;
  std::int64_t first, count;
  T* phase[Gather::most_phases];
  std::int64_t to[Gather::most_phases][most_position_vectors];
  int valid[Gather::most_phases][most_position_vectors];

  void place(const Gather& gather, const Rectangle& at, T* target) {
    for (int p = 0; p < gather.phases; ++p) {
      const RectangleTarget<T> of(gather, p, at, target);
      const std::int64_t begin = of.at - target;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t q = vectors[p].column(first + i);
        to[p][i] = begin + vectors[p].row(first + i) * of.row + q * of.column;
        valid[p][i] = static_cast<int>(std::clamp<std::int64_t>(vectors[p].columns - q, 0, lanes<T>));
      }
    }
  }
};

/// Writes vectors of one channel; `row` is the channel's place in the tile's results.
template <class T>
void write_positions(const Gather& gather, const PositionResults<T>& results, std::int64_t row, T bias,
                     T* target) {
  const bool in_turns = gather.phases == 2 && gather.target.pixel == 1 && gather.w[0].target_step == 2 &&
                        gather.w[0].target_begin == 0;
  for (int phase = 0; phase < (in_turns ? 1 : gather.phases); ++phase) {
    const std::int64_t column = gather.w[phase].target_step * gather.target.pixel;
    for (std::int64_t i = 0; i < results.count; ++i) {
      const auto result = [&](int of) {
        return activated<T>(gather.activation, load(results.phase[of] + row + i * lanes<T>) + bias);
      };
      const int count = results.valid[phase][i];
      const Vec<T> values = result(phase);
      T* begin = target + results.to[phase][i];
      if (in_turns) {
        const Vec<T> odd = result(1);
        const int both = count + results.valid[1][i], low = std::min(lanes<T>, both);
        store_up_to(begin, interleave(values, odd).first, low);
        if (both > low) store_up_to(begin + lanes<T>, interleave(values, odd).second, both - low);
      } else if (column == 1) {
        store_up_to(begin, values, count);
      } else {
        for (int j = 0; j < count; ++j) begin[j * column] = values[j];
      }
    }
  }
}

/// One tile against one panel, in every phase.
template <class T>
void multiply_tile(const Gather& gather, const PixelLanesPlan& plan, const PixelLanesOperands<T>& operands,
                   std::int64_t group, std::int64_t panel, std::int64_t begin, std::int64_t end,
                   const T* band, const PositionResults<T>& results) {
  const auto tile = position_tile<T>(plan.height, std::make_index_sequence<tile_rows>{});
  const std::int64_t* taps_at = operands.tap_offsets;
  std::int64_t offsets[most_position_vectors];
  for (int j = 0; j < plan.width(); ++j)
    offsets[j] = results.vectors[0].offset(results.first + std::min<std::int64_t>(j, results.count - 1));
  for (int phase = 0; phase < gather.phases; ++phase) {
    const std::int64_t taps = gather.taps(phase);
    tile({end - begin, plan.band.channel_pitch, taps_at, taps}, band, offsets,
         operands.kernel.panel(group, phase, panel) + begin * taps * plan.height, begin > 0,
         results.phase[phase]);
    taps_at += taps;
  }
}

/// One rectangle of one image and group: panels [first, last).
template <class T>
void gather_positions(const Gather& gather, const PixelLanesPlan& plan, const PixelLanesOperands<T>& operands,
                      std::int64_t group, const Rectangle& at, std::int64_t first, std::int64_t last) {
  const EvenCut blocks(std::max<std::int64_t>(1, gather.channels), plan.channels);
  PositionVectors<T> vectors[Gather::most_phases];
  for (int phase = 0; phase < gather.phases; ++phase) {
    const std::int64_t columns = std::clamp<std::int64_t>(gather.w[phase].outputs - at.column, 0, at.columns);
    vectors[phase] = {at.rows, columns, ceil_div(at.columns, lanes<T>), plan.band.output_pitch(),
                      plan.band.direct};
  }
  const std::int64_t width = plan.width(), tiles = ceil_div(vectors[0].count(), width);
  const std::int64_t kept =
      blocks.pieces > 1 ? tiles * (last - first) : 1;  // tiles that wait for the next block
  const std::int64_t band_size =
      plan.band.direct ? 0 : ceil_div(plan.channels * plan.band.channel_pitch + band_slack<T>, 16) * 16;
  const Workspace memory(static_cast<std::size_t>(band_size + kept * gather.phases * position_tile_size<T>) *
                         sizeof(T));
  T* const scratch = static_cast<T*>(memory.data());
  const T* source = operands.source + group * gather.channels * gather.source.channel;
  for (std::int64_t b = 0; b < blocks.pieces; ++b) {
    const std::int64_t begin = blocks.begin(b), end = std::min(gather.channels, blocks.begin(b + 1));
    const T* band = band_of(gather, plan.band, at, source, begin, end, scratch);
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      PositionResults<T> results{};
      results.vectors = vectors, results.first = tile * width,
      results.count = std::min(width, vectors[0].count() - tile * width);
      results.place(gather, at, operands.target);
      for (std::int64_t panel = first; panel < last; ++panel) {
        const std::int64_t slot = kept > 1 ? tile * (last - first) + panel - first : 0;
        for (int phase = 0; phase < gather.phases; ++phase)
          results.phase[phase] = scratch + band_size + (slot * gather.phases + phase) * position_tile_size<T>;
        multiply_tile(gather, plan, operands, group, panel, begin, end, band, results);
        if (b + 1 < blocks.pieces) continue;
        const std::int64_t row = panel * plan.height;
        for (std::int64_t i = 0; i < std::min<std::int64_t>(plan.height, gather.rows - row); ++i) {
          const std::int64_t channel = group * gather.rows + row + i;
          write_positions(gather, results, i * width * lanes<T>,
                          operands.bias ? operands.bias[channel] : T(0),
                          operands.target + channel * gather.target.channel);
        }
      }
    }
  }
}

template <class T>
void run_pixel_lanes(const Gather& gather, const PixelLanesPlan& plan,
                     const PixelLanesOperands<T>& operands) {
  for_gather_chunks(
      gather, plan,
      [&](std::int64_t group, const Rectangle& at, std::int64_t, std::int64_t first, std::int64_t last) {
        gather_positions(gather, plan, operands, group, at, first, last);
      });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
