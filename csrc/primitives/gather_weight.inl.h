// The gradient of a convolution's kernel: grad_kernel[row, (channel, r, s)] sums, over images and output
// positions, the product of what came back at the position and what the tap met there. Two ways: with the
// rows as lanes, where the gradient is turned into panels and the image is read one broadcast at a time; and
// with the positions as lanes, for few rows.
#pragma once

#include "primitives/channel_lanes.inl.h"
#include "primitives/depthwise.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// How the sum over images and positions is cut: `splits` partial sums of whole rectangles, added in order. A
/// matter of shape alone.
struct WeightPlan {
  bool rows_as_lanes;
  BandPlan band;
  std::int64_t panels;                            // of a group's rows; 1 with positions as lanes
  std::int64_t splits, channel_cuts, panel_cuts;  // what a chunk is a share of, beside its group
  std::int64_t channels;                          // of a chunk at most
  std::int64_t together;                          // whole images that are summed as one
  std::int64_t units(const Gather& g) const { return g.images * band.rectangles(); }
  std::int64_t chunks(const Gather& g) const { return splits * g.groups * channel_cuts * panel_cuts; }
};

/// The gather as its weight's gradient takes it. That of a pointwise one is the same product with source and
/// target exchanged: then the one with fewer channels is turned, and the sums are those of the other's rows.
struct WeightGather {
  Gather gather;
  bool exchanged = false;

  explicit WeightGather(const Gather& given) : gather(flattened(given)) {
    if (!is_pointwise(gather) || gather.rows <= gather.channels) return;
    exchanged = true;
    std::swap(gather.rows, gather.channels);
    std::swap(gather.source, gather.target);
  }
};

/// Cost of a product that counts, as in gather_convolution.inl.h: rows as lanes turn the gradient first.
template <class T>
bool weight_rows_as_lanes(const Gather& gather) {
  const double rows = static_cast<double>(gather.rows), columns = static_cast<double>(gather.columns());
  const double products = static_cast<double>(gather.channels * gather.taps(0));
  if (gather.target.pixel != 1 || is_pointwise(gather)) return true;  // the other way reads runs of positions
  const double filled = static_cast<double>(ceil_div(gather.rows, lanes<T>) * lanes<T>) / rows;
  const double tile = std::min(products, 8.0) * (gather.rows > lanes<T> ? 2 : 1);
  const double positions_filled =
      static_cast<double>(ceil_div(gather.columns(), lanes<T>) * lanes<T>) / columns;
  return filled * (1 + 8 / products) / std::min(1.0, tile / 8) <=
         2 * positions_filled / std::min(1.0, gather.taps(0) / 8.0);
}

/// Images that are one rectangle each lie in their band at one distance: as many as make a sum of some
/// length.
FASTDL_INLINE std::int64_t images_together(const WeightPlan& plan) {
  constexpr std::int64_t positions = 224, band_elements = 1 << 17;
  if (!plan.rows_as_lanes || plan.band.rectangles() > 1) return 1;
  const std::int64_t fitting =
      plan.band.direct ? positions : band_elements / (plan.channels * plan.band.channel_pitch);
  return std::max<std::int64_t>(1, std::min(positions / plan.band.pixels(), fitting));
}

template <class T>
WeightPlan plan_weight(const Gather& gather) {
  constexpr std::int64_t buffer_elements = 65536, partial_elements = 1 << 21;
  WeightPlan plan{};
  plan.rows_as_lanes = weight_rows_as_lanes<T>(gather);
  const std::int64_t size = gather.groups * gather.rows * gather.channels * gather.taps(0);
  const std::int64_t positions = gather.images * gather.h.outputs * gather.columns();
  plan.panels = plan.rows_as_lanes ? ceil_div(gather.rows, panel_width<T>) : 1;
  const std::int64_t pixels =
      plan.rows_as_lanes ? std::clamp<std::int64_t>(buffer_elements / (plan.panels * panel_width<T>), 64, 256)
                         : 4096;
  plan.band = plan_bands<T>(gather, pixels, false);
  const std::int64_t units = std::max<std::int64_t>(1, plan.units(gather));
  const std::int64_t enough = plan.rows_as_lanes ? 512 : 128;
  const auto missing = [&](std::int64_t chunks) { return ceil_div(wanted_chunks, chunks); };
  plan.splits = std::min({missing(gather.groups), units, std::max<std::int64_t>(1, positions / enough),
                          std::max<std::int64_t>(1, partial_elements / size)});
  plan.splits = std::max<std::int64_t>(1, plan.splits);
  constexpr std::int64_t band_elements = 32768;
  const std::int64_t fitting =
      plan.band.direct ? 512 : std::max<std::int64_t>(1, band_elements / plan.band.channel_pitch);
  const std::int64_t work = gather.rows * positions * gather.taps(0);  // of a channel
  constexpr std::int64_t chunk_work = 1 << 20;
  const std::int64_t by_work = std::max<std::int64_t>(1, work * gather.channels / chunk_work);
  plan.channels = plan.rows_as_lanes ? std::min(fitting, gather.channels) : 1;
  plan.channel_cuts = ceil_div(gather.channels, plan.channels);
  // Cutting the panels copies bands again, where they are copied, and cutting the channels turns gradients
  // again.
  const std::int64_t lacking = std::min(missing(plan.splits * gather.groups * plan.channel_cuts),
                                        ceil_div(by_work, plan.channel_cuts));
  if (plan.band.direct || gather.channels * 2 < gather.rows) {
    plan.panel_cuts = std::clamp<std::int64_t>(lacking, 1, plan.panels);
    plan.channel_cuts *=
        std::clamp<std::int64_t>(ceil_div(lacking, plan.panel_cuts), 1, ceil_div(plan.channels, 16));
  } else {
    const std::int64_t more = std::clamp<std::int64_t>(lacking, 1, ceil_div(plan.channels, 16));
    plan.channel_cuts *= more;
    plan.panel_cuts = std::clamp<std::int64_t>(ceil_div(lacking, more), 1, plan.panels);
  }
  plan.channels = ceil_div(gather.channels, plan.channel_cuts);
  plan.together = images_together(plan);
  return plan;
}

/// A chunk's share of the work.
struct WeightShare {
  std::int64_t split, group, channel, channel_end, panel, panel_end;

  WeightShare(const Gather& gather, const WeightPlan& plan, std::int64_t chunk) {
    const std::int64_t p = chunk % plan.panel_cuts, c = chunk / plan.panel_cuts % plan.channel_cuts;
    chunk /= plan.panel_cuts * plan.channel_cuts;
    group = chunk % gather.groups, split = chunk / gather.groups;
    channel = c * gather.channels / plan.channel_cuts,
    channel_end = (c + 1) * gather.channels / plan.channel_cuts;
    panel = p * plan.panels / plan.panel_cuts, panel_end = (p + 1) * plan.panels / plan.panel_cuts;
  }
};

template <class T>
struct WeightOperands {
  const T* source;
  const T* grad;                    // of the gather's target
  T* partial;                       // (splits, size of a partial sum)
  const std::int64_t* tap_offsets;  // (taps)
  const std::int64_t* steps;        // where the positions of a row lie, or of an image that is one rectangle
};

FASTDL_INLINE std::int64_t padded_rows(const Gather& gather, const WeightPlan& plan, int lane_count) {
  return plan.rows_as_lanes ? ceil_div(gather.rows, lane_count) * lane_count : gather.rows;
}

/// Elements of one partial sum: with rows as lanes (groups, panels, channels, taps, width), else as the
/// kernel.
template <class T>
FASTDL_INLINE std::int64_t partial_size(const Gather& gather, const WeightPlan& plan) {
  return gather.groups * padded_rows(gather, plan, lanes<T>) * gather.channels * gather.taps(0);
}

// ---- rows as lanes

/// Turns the gradient at a rectangle into a panel: (positions, width).
template <class T>
void turn_gradient(const Gather& gather, const Rectangle& at, const T* grad, int rows, int vectors,
                   T* panel) {
  const RectangleTarget<const T> from(gather, 0, at, grad);
  const bool whole_rows = from.row == at.columns * from.column;
  const std::int64_t runs = whole_rows ? 1 : at.rows, length = whole_rows ? at.rows * at.columns : at.columns;
  const std::int64_t width = vectors * lanes<T>;
  for (int v = 0; v < vectors; ++v) {
    const int height = std::min<int>(lanes<T>, rows - v * lanes<T>);
    const T* first = from.at + v * lanes<T> * from.channel;
    for (std::int64_t p = 0; p < runs; ++p) {
      T* to = panel + p * length * width + v * lanes<T>;
      for (std::int64_t j = 0; j < length; j += lanes<T>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, length - j));
        if (from.channel == 1) {
          for (int i = 0; i < count; ++i)
            store(to + (j + i) * width, load_up_to(first + p * from.row + (j + i) * from.column, height));
        } else {
          turn_rows(first + p * from.row + j, from.channel, height, count, width, to + j * width);
        }
      }
    }
  }
}

/// Adds the products of a band and one panel of the gradient, along `walk`, to `sums` (channels * taps,
/// width).
template <class T>
void add_products(const Gather& gather, const WeightPlan& plan, const WeightOperands<T>& operands,
                  const DepthWalk& walk, const T* band, const T* panel, int vectors, std::int64_t channels,
                  bool accumulate, T* sums) {
  const std::int64_t taps = gather.taps(0), width = vectors * lanes<T>;
  const EvenCut tiles(channels * taps, scattered_rows);
  std::int64_t offsets[scattered_rows];
  std::int64_t channel = 0, tap = 0;
  for (std::int64_t i = 0; i < tiles.pieces; ++i) {
    const int rows = static_cast<int>(tiles.size(i));
    for (int j = 0; j < rows; ++j) {
      offsets[j] = channel * plan.band.channel_pitch + operands.tap_offsets[tap];
      if (++tap == taps) tap = 0, ++channel;
    }
    lane_tile<true, T>(rows, vectors)(walk, band, offsets, panel,
                                      {sums + tiles.begin(i) * width, width, nullptr, accumulate});
  }
}

template <class T>
void sum_share_by_rows(const Gather& gather, const WeightPlan& plan, const WeightOperands<T>& operands,
                       const WeightShare& share) {
  const std::int64_t taps = gather.taps(0), channels = share.channel_end - share.channel;
  const std::int64_t units = plan.units(gather), padded = padded_rows(gather, plan, lanes<T>);
  const std::int64_t band_size =
      plan.band.direct ? 0 : ceil_div(plan.channels * plan.band.channel_pitch + band_slack<T>, 16) * 16;
  const Workspace memory(static_cast<std::size_t>(plan.together) *
                         static_cast<std::size_t>(band_size + plan.band.pixels() * panel_width<T>) *
                         sizeof(T));
  T* const scratch = static_cast<T*>(memory.data());
  T* const turned = scratch + plan.together * band_size;
  const T* source = operands.source + share.group * gather.channels * gather.source.channel;
  T* const sums = operands.partial + share.split * partial_size<T>(gather, plan) +
                  share.group * padded * gather.channels * taps;
  const std::int64_t first = share.split * units / plan.splits,
                     last = (share.split + 1) * units / plan.splits;
  for (std::int64_t unit = first; unit < last; unit += plan.together) {
    const std::int64_t count = std::min(plan.together, last - unit);
    const Rectangle at =
        plan.band.rectangle(gather, unit / plan.band.rectangles(), unit % plan.band.rectangles());
    const T* band =
        bands_of(gather, plan.band, at, count, source, share.channel, share.channel_end, scratch, band_size);
    const DepthWalk walk = plan.band.rectangles() == 1
                               ? DepthWalk{count, band_distance(gather, plan.band, band_size), operands.steps,
                                           at.rows * at.columns}
                               : DepthWalk{at.rows, plan.band.output_pitch(), operands.steps, at.columns};
    for (std::int64_t panel = share.panel; panel < share.panel_end; ++panel) {
      const std::int64_t row = panel * panel_width<T>;
      const int rows = static_cast<int>(std::min<std::int64_t>(panel_width<T>, gather.rows - row));
      const int vectors = rows > lanes<T> ? tile_vectors : 1;
      for (std::int64_t i = 0; i < count; ++i)
        turn_gradient(gather, at.of_image(at.image + i),
                      operands.grad + (share.group * gather.rows + row) * gather.target.channel, rows,
                      vectors, turned + i * at.rows * at.columns * vectors * lanes<T>);
      add_products(gather, plan, operands, walk, band, turned, vectors, channels, unit > first,
                   sums + (row * gather.channels + share.channel * vectors * lanes<T>)*taps);
    }
  }
}

/// A vector of partial sums, added in order.
template <class T>
FASTDL_INLINE Vec<T> add_splits(const T* from, std::int64_t splits, std::int64_t size) {
  Vec<T> sum = load(from);
  for (std::int64_t split = 1; split < splits; ++split) sum += load(from + split * size);
  return sum;
}

/// Adds the partial sums in order: grad_kernel (groups * rows, channels, taps), which takes turning, or where
/// source and target are exchanged (groups, channels, rows).
template <class T>
void write_partial_sums(const Gather& gather, bool exchanged, const WeightPlan& plan, const T* partial,
                        T* grad_kernel) {
  constexpr std::int64_t step = 32 * lanes<T>;
  const std::int64_t products = gather.channels * gather.taps(0),
                     padded = padded_rows(gather, plan, lanes<T>);
  const std::int64_t vectors = padded / lanes<T>, pieces = ceil_div(products, step),
                     size = partial_size<T>(gather, plan);
  parallel_for(gather.groups * vectors * pieces, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk % pieces * step, v = chunk / pieces % vectors,
                       group = chunk / pieces / vectors;
    const std::int64_t row = v * lanes<T>, panel_row = v / tile_vectors * panel_width<T>;
    const std::int64_t width = gather.rows - panel_row > lanes<T> ? panel_width<T> : lanes<T>;
    const int rows = static_cast<int>(std::min<std::int64_t>(lanes<T>, gather.rows - row));
    const T* from = partial + (group * padded + panel_row) * products + v % tile_vectors * lanes<T>;
    const std::int64_t end = std::min(products, begin + step);
    if (exchanged) {
      T* to = grad_kernel + group * gather.rows * products + row;
      for (std::int64_t j = begin; j < end; ++j)
        store_up_to(to + j * gather.rows, add_splits(from + j * width, plan.splits, size), rows);
      return;
    }
    T* to = grad_kernel + (group * gather.rows + row) * products;
    Vec<T> block[lanes<T>];
    for (std::int64_t j = begin; j < end; j += lanes<T>) {
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, end - j));
      for (int i = 0; i < lanes<T>; ++i)
        block[i] = i < count ? add_splits(from + (j + i) * width, plan.splits, size) : Vec<T>{};
      transpose(block);
      for (int i = 0; i < rows; ++i) store_up_to(to + i * products + j, block[i], count);
    }
  });
}

// ---- positions as lanes

inline constexpr int dot_taps = tile_rows;

/// sums[t] += the dot product of the gradient's rows with what tap t met, t < Taps.
template <int Taps, class T>
__attribute__((noinline)) void dot_rectangle(const Rectangle& at, const T* grad, std::int64_t grad_pitch,
                                             const T* band, std::int64_t band_pitch,
                                             const std::int64_t* offsets, T* sums) {
  Vec<T> partial[Taps] = {};
  for (std::int64_t p = 0; p < at.rows; ++p, grad += grad_pitch, band += band_pitch) {
    std::int64_t q = 0;
    for (; q + lanes<T> <= at.columns; q += lanes<T>) {
      const Vec<T> g = load(grad + q);
#pragma GCC unroll 16
      for (int t = 0; t < Taps; ++t) partial[t] += g * load(band + offsets[t] + q);
    }
    if (const int rest = static_cast<int>(at.columns - q)) {
      const Vec<T> g = load_partial(grad + q, rest);
#pragma GCC unroll 16
      for (int t = 0; t < Taps; ++t) partial[t] += g * load_partial(band + offsets[t] + q, rest);
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < Taps; ++t) sums[t] += reduce_add(partial[t]);
}

template <class T>
using DotTile = void (*)(const Rectangle&, const T*, std::int64_t, const T*, std::int64_t,
                         const std::int64_t*, T*);

template <class T, std::size_t... I>
FASTDL_INLINE DotTile<T> dot_tile(int taps, std::index_sequence<I...>) {
  static constexpr DotTile<T> tiles[] = {dot_rectangle<I + 1, T>...};
  return tiles[taps - 1];
}

template <class T>
void sum_share_by_positions(const Gather& gather, const WeightPlan& plan, const WeightOperands<T>& operands,
                            const WeightShare& share) {
  const std::int64_t taps = gather.taps(0), units = plan.units(gather);
  const std::int64_t band_size =
      plan.band.direct ? 0 : plan.channels * plan.band.channel_pitch + band_slack<T>;
  const Workspace memory(static_cast<std::size_t>(band_size) * sizeof(T));
  const T* source = operands.source + share.group * gather.channels * gather.source.channel;
  T* const sums = operands.partial + share.split * partial_size<T>(gather, plan) +
                  share.group * gather.rows * gather.channels * taps;
  const EvenCut tiles(taps, dot_taps);
  for (std::int64_t row = 0; row < gather.rows; ++row)
    std::fill_n(sums + (row * gather.channels + share.channel) * taps,
                (share.channel_end - share.channel) * taps, T(0));
  for (std::int64_t unit = share.split * units / plan.splits; unit < (share.split + 1) * units / plan.splits;
       ++unit) {
    const Rectangle at =
        plan.band.rectangle(gather, unit / plan.band.rectangles(), unit % plan.band.rectangles());
    const T* band = band_of(gather, plan.band, at, source, share.channel, share.channel_end,
                            static_cast<T*>(memory.data()));
    for (std::int64_t row = 0; row < gather.rows; ++row) {
      const RectangleTarget<const T> from(
          gather, 0, at, operands.grad + (share.group * gather.rows + row) * gather.target.channel);
      for (std::int64_t c = share.channel; c < share.channel_end; ++c)
        for (std::int64_t i = 0; i < tiles.pieces; ++i)
          dot_tile<T>(static_cast<int>(tiles.size(i)), std::make_index_sequence<dot_taps>{})(
              at, from.at, from.row, band + (c - share.channel) * plan.band.channel_pitch,
              plan.band.output_pitch(), operands.tap_offsets + tiles.begin(i),
              sums + (row * gather.channels + c) * taps + tiles.begin(i));
    }
  }
}

template <class T>
void add_partial_sums(const WeightPlan& plan, std::int64_t size, const T* partial, T* grad_kernel) {
  constexpr std::int64_t step = 4096;
  parallel_for(ceil_div(size, step), [&](std::int64_t chunk) {
    for (std::int64_t i = chunk * step; i < std::min(size, (chunk + 1) * step); ++i) {
      T sum = partial[i];
      for (std::int64_t split = 1; split < plan.splits; ++split) sum += partial[split * size + i];
      grad_kernel[i] = sum;
    }
  });
}

// ---- both

template <class T>
std::size_t gather_weight_workspace_bytes(const Gather& given) {
  if (depthwise_applies(flattened(given))) return depthwise_weight_bytes<T>(flattened(given));
  const Gather gather = WeightGather(given).gather;
  const WeightPlan plan = plan_weight<T>(gather);
  return static_cast<std::size_t>(plan.splits * partial_size<T>(gather, plan)) * sizeof(T) + 64 +
         static_cast<std::size_t>(gather.taps(0) + plan.band.pixels()) * sizeof(std::int64_t);
}

template <class T>
FASTDL_INLINE const char* gather_weight_variant(const Gather& gather) {
  if (depthwise_applies(flattened(gather))) return "depthwise";
  return weight_rows_as_lanes<T>(WeightGather(gather).gather) ? "rows as lanes" : "positions as lanes";
}

/// grad_kernel (groups * rows, channels, taps) of a forward gather from its source and the gradient of its
/// target.
template <class T>
void run_gather_weight(const Gather& given, const T* source, const T* grad_target, T* grad_kernel,
                       void* workspace) {
  if (depthwise_applies(flattened(given)))
    return run_depthwise_weight(flattened(given), source, grad_target, grad_kernel,
                                static_cast<T*>(workspace));
  const WeightGather form(given);
  const Gather& gather = form.gather;
  if (form.exchanged) std::swap(source, grad_target);
  const WeightPlan plan = plan_weight<T>(gather);
  const std::int64_t size = gather.groups * gather.rows * gather.channels * gather.taps(0);
  if (plan.units(gather) == 0) {
    std::fill_n(grad_kernel, size, T(0));
    return;
  }
  T* const partial = static_cast<T*>(workspace);
  auto* const offsets = reinterpret_cast<std::int64_t*>(
      static_cast<char*>(workspace) +
      (static_cast<std::size_t>(plan.splits * partial_size<T>(gather, plan)) * sizeof(T) + 63) / 64 * 64);
  std::int64_t* const steps = offsets + gather.taps(0);
  tap_offsets(gather, plan.band, 0, offsets);
  for (std::int64_t i = 0; i < plan.band.pixels(); ++i)
    steps[i] = i / plan.band.columns * plan.band.output_pitch() + i % plan.band.columns;
  const WeightOperands<T> operands{source, grad_target, partial, offsets, steps};
  parallel_for(plan.chunks(gather), [&](std::int64_t chunk) {
    const WeightShare share(gather, plan, chunk);
    if (plan.rows_as_lanes)
      sum_share_by_rows(gather, plan, operands, share);
    else
      sum_share_by_positions(gather, plan, operands, share);
  });
  if (plan.rows_as_lanes)
    write_partial_sums(gather, form.exchanged, plan, partial, grad_kernel);
  else
    add_partial_sums(plan, size, partial, grad_kernel);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
