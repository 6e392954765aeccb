// A gather whose output positions are the lanes: for few output channels, and where rows of the image are
// long and the depth is small, for results need no turning. The image is read where it lies, the kernel one
// broadcast at a time.
#pragma once

#include "core/allocator.h"
#include "primitives/image_band.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Vectors of positions in a tile of `rows` channels: as many as the registers hold beside a row of them.
FASTDL_INLINE constexpr int position_vectors(int rows) {
#if FASTDL_VECTOR_BYTES == 64 || defined(__aarch64__)
  constexpr int registers = 31;
#else
  constexpr int registers = 15;
#endif
  const int vectors = registers / (rows + 1);
  return vectors > 8 ? 8 : vectors < 1 ? 1 : vectors;
}

/// How a gather with positions as lanes is cut. Vectors of a rectangle are numbered row by row.
struct PixelLanesPlan {
  BandPlan band;
  std::int64_t panels;        // of a group's output channels, cut evenly
  std::int64_t panel_splits;  // the panels shared out among chunks
  std::int64_t channels;      // of the source that a block of the depth has
  std::int64_t chunks(const Gather& g) const {
    return g.images * g.groups * band.rectangles() * panel_splits;
  }
  EvenCut cut(const Gather& g) const {
    EvenCut rows(g.rows, tile_rows);
    rows.pieces = panels;
    return rows;
  }
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
  plan.channels = std::max<std::int64_t>(1, 256 / taps);
  if (gather.channels < 3 * plan.channels / 2) plan.channels = gather.channels;
  return plan;
}

/// Rows x vectors of sums: rows of `to` are `pitch` apart.
template <int Rows, class T>
__attribute__((noinline)) void multiply_positions(const DepthWalk& walk, const T* band,
                                                  const std::int64_t* vector_offsets, const T* kernel,
                                                  bool accumulate, T* to, std::int64_t pitch) {
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
      for (int j = 0; j < vectors; ++j) row[j] = load(at + offset[j]);
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
      T* c = to + i * pitch + j * lanes<T>;
      store(c, accumulate ? sums[i][j] + load(c) : sums[i][j]);
    }
  }
}

template <class T>
using PositionTile = void (*)(const DepthWalk&, const T*, const std::int64_t*, const T*, bool, T*,
                              std::int64_t);

template <class T, std::size_t... I>
FASTDL_INLINE PositionTile<T> position_tile(int rows, std::index_sequence<I...>) {
  static constexpr PositionTile<T> tiles[] = {multiply_positions<I + 1, T>...};
  return tiles[rows - 1];
}

/// Where the kernel of a panel lies once packed: (channels, taps, rows of the panel).
template <class T>
struct PositionKernel {
  const Gather* gather;
  EvenCut panels;
  T* elements;

  std::int64_t group_size() const { return gather->rows * gather->channels * gather->all_taps(); }
  std::int64_t size() const { return gather->groups * group_size(); }
  T* panel(std::int64_t group, int phase, std::int64_t index) const {
    T* at = elements + group * group_size();
    for (int earlier = 0; earlier < phase; ++earlier)
      at += gather->rows * gather->channels * gather->taps(earlier);
    return at + panels.begin(index) * gather->channels * gather->taps(phase);
  }
};

template <class T>
void pack_position_kernel(const Gather& gather, const T* kernel, const PositionKernel<T>& packed) {
  parallel_for(gather.groups * packed.panels.pieces, [&](std::int64_t chunk) {
    const std::int64_t panel = chunk % packed.panels.pieces, group = chunk / packed.panels.pieces;
    const std::int64_t first = packed.panels.begin(panel), rows = packed.panels.size(panel);
    for (int phase = 0; phase < gather.phases; ++phase) {
      T* to = packed.panel(group, phase, panel);
      const T* from = kernel + group * gather.group_stride + first * gather.row_stride;
      for (std::int64_t c = 0; c < gather.channels; ++c, from += gather.channel_stride)
        for (std::int64_t r = 0; r < gather.h.taps; ++r)
          for (std::int64_t s = 0; s < gather.w[phase].taps; ++s) {
            const T* tap = from + gather.kernel_tap(phase, r, s);
            for (std::int64_t i = 0; i < rows; ++i) *to++ = tap[i * gather.row_stride];
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

/// Multiplies all vectors of a phase with one panel; results in `to`, rows `pitch` apart.
template <class T>
void multiply_vectors_of(const DepthWalk& walk, const T* band, const PositionVectors<T>& vectors, int rows,
                         const T* kernel, bool accumulate, T* to, std::int64_t pitch) {
  const int width = position_vectors(rows);
  const auto tile = position_tile<T>(rows, std::make_index_sequence<tile_rows>{});
  std::int64_t offsets[8];
  for (std::int64_t first = 0; first < vectors.count(); first += width) {
    for (int j = 0; j < width; ++j) offsets[j] = vectors.offset(std::min(first + j, vectors.count() - 1));
    tile(walk, band, offsets, kernel, accumulate, to + first * lanes<T>, pitch);
  }
}

/// Writes one channel of a rectangle. `buffers` hold its vectors, one after another, for each phase.
template <class T>
void write_positions(const Gather& gather, const Rectangle& at, const PositionVectors<T>* vectors,
                     const T* const* buffers, T bias, T* target) {
  if (gather.phases == 2 && gather.target.pixel == 1 && gather.w[0].target_step == 2 &&
      gather.w[0].target_begin == 0) {
    const RectangleTarget<T> to(gather, 0, at, target);
    for (std::int64_t i = 0; i < vectors[0].count(); ++i) {
      const std::int64_t q = vectors[0].column(i),
                         a = std::min<std::int64_t>(lanes<T>, vectors[0].columns - q),
                         b = std::clamp<std::int64_t>(vectors[1].columns - q, 0, lanes<T>);
      const Vec<T> even = load(buffers[0] + i * lanes<T>) + bias,
                   odd = load(buffers[1] + i * lanes<T>) + bias;
      const int low = static_cast<int>(std::min<std::int64_t>(lanes<T>, a + b)),
                high = static_cast<int>(a + b) - low;
      T* row = to.at + vectors[0].row(i) * to.row + 2 * q;
      store_up_to(row, interleave_low(even, odd), low);
      if (high) store_up_to(row + lanes<T>, interleave_high(even, odd), high);
    }
    return;
  }
  for (int phase = 0; phase < gather.phases; ++phase) {
    const RectangleTarget<T> to(gather, phase, at, target);
    for (std::int64_t i = 0; i < vectors[phase].count(); ++i) {
      const std::int64_t q = vectors[phase].column(i);
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, vectors[phase].columns - q));
      const Vec<T> values = load(buffers[phase] + i * lanes<T>) + bias;
      T* row = to.at + vectors[phase].row(i) * to.row + q * to.column;
      if (to.column == 1)
        store_up_to(row, values, count);
      else
        for (int j = 0; j < count; ++j) row[j * to.column] = values[j];
    }
  }
}

/// One rectangle of one image and group: panels [first, last).
template <class T>
void gather_positions(const Gather& gather, const PixelLanesPlan& plan, const PixelLanesOperands<T>& operands,
                      std::int64_t group, const Rectangle& at, std::int64_t first, std::int64_t last) {
  const EvenCut blocks(std::max<std::int64_t>(1, gather.channels), plan.channels), rows = plan.cut(gather);
  PositionVectors<T> vectors[Gather::most_phases];
  for (int phase = 0; phase < gather.phases; ++phase) {
    const std::int64_t columns = std::clamp<std::int64_t>(gather.w[phase].outputs - at.column, 0, at.columns);
    vectors[phase] = {at.rows, columns, ceil_div(at.columns, lanes<T>), gather.h.step * plan.band.row_pitch,
                      plan.band.direct};
  }
  // A tile may run past the last vector by as many as it has.
  const std::int64_t pitch = (at.rows * ceil_div(at.columns, lanes<T>) + 8) * lanes<T>;
  const std::int64_t kept = blocks.pieces > 1 ? rows.begin(last) - rows.begin(first) : tile_rows;
  const std::int64_t band_size =
      plan.band.direct ? 0 : ceil_div(plan.channels * plan.band.channel_pitch + band_slack<T>, 16) * 16;
  const Workspace memory(static_cast<std::size_t>(band_size + gather.phases * kept * pitch) * sizeof(T));
  T* const scratch = static_cast<T*>(memory.data());
  const T* source = operands.source + group * gather.channels * gather.source.channel;
  for (std::int64_t b = 0; b < blocks.pieces; ++b) {
    const std::int64_t begin = blocks.begin(b), end = std::min(gather.channels, blocks.begin(b + 1));
    const T* band = band_of(gather, plan.band, at, source, begin, end, scratch);
    for (std::int64_t panel = first; panel < last; ++panel) {
      const int height = static_cast<int>(rows.size(panel));
      T* buffers[Gather::most_phases];
      const std::int64_t* offsets = operands.tap_offsets;
      for (int phase = 0; phase < gather.phases; ++phase) {
        const std::int64_t taps = gather.taps(phase);
        const std::int64_t row = blocks.pieces > 1 ? rows.begin(panel) - rows.begin(first) : 0;
        buffers[phase] = scratch + band_size + (phase * kept + row) * pitch;
        multiply_vectors_of({end - begin, plan.band.channel_pitch, offsets, taps}, band, vectors[phase],
                            height, operands.kernel.panel(group, phase, panel) + begin * taps * height, b > 0,
                            buffers[phase], pitch);
        offsets += taps;
      }
      if (b + 1 < blocks.pieces) continue;
      for (int i = 0; i < height; ++i) {
        const std::int64_t channel = group * gather.rows + rows.begin(panel) + i;
        const T* const values[] = {buffers[0] + i * pitch,
                                   gather.phases > 1 ? buffers[1] + i * pitch : nullptr,
                                   gather.phases > 2 ? buffers[2] + i * pitch : nullptr,
                                   gather.phases > 3 ? buffers[3] + i * pitch : nullptr};
        write_positions(gather, at, vectors, values, operands.bias ? operands.bias[channel] : T(0),
                        operands.target + channel * gather.target.channel);
      }
    }
  }
}

template <class T>
void run_pixel_lanes(const Gather& gather, const PixelLanesPlan& plan,
                     const PixelLanesOperands<T>& operands) {
  parallel_for(plan.chunks(gather), [&](std::int64_t chunk) {
    const std::int64_t split = chunk % plan.panel_splits, part = chunk / plan.panel_splits;
    const std::int64_t rectangle = part % plan.band.rectangles(),
                       group = part / plan.band.rectangles() % gather.groups,
                       image = part / plan.band.rectangles() / gather.groups;
    gather_positions(gather, plan, operands, group, plan.band.rectangle(gather, image, rectangle),
                     split * plan.panels / plan.panel_splits, (split + 1) * plan.panels / plan.panel_splits);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
