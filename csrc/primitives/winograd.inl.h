// A 3 x 3 gather with stride 1 by Winograd's minimal filtering F(2 x 2, 3 x 3): 16 products where the plain
// sum takes 36. A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308:
//   Y = A' [(G g G') . (B' d B)] A   for tiles d of 4 x 4 and Y of 2 x 2, products summed over the channels.
// Its error is within that of a plain float32 sum from 16 channels on. An infinity or a NaN spreads over its
// tile.
#pragma once

#include "primitives/channel_lanes.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

inline constexpr int tile_points = 16;  // products of a tile, and elements of its 4 x 4 input

FASTDL_INLINE bool is_winograd_axis(const GatherAxis& axis) {
  return axis.taps == 3 && axis.step == 1 && (axis.base_step == 1 || axis.base_step == -1) &&
         axis.target_step == 1;
}

FASTDL_INLINE bool winograd_applies(const Gather& gather) {
  return gather.phases == 1 && is_winograd_axis(gather.h) && is_winograd_axis(gather.w[0]) &&
         gather.channels >= 16 && gather.rows >= 16;
}

/// The tiles of a gather, as a gather of their own: position (p, q) meets the 4 x 4 inputs of one tile.
FASTDL_INLINE Gather tiles_of(Gather gather) {
  for (GatherAxis* axis : {&gather.h, &gather.w[0]}) {
    axis->base = axis->lowest(), axis->base_step = 1;
    axis->outputs = ceil_div(axis->outputs, 2), axis->step = 2, axis->taps = 4;
  }
  return gather;
}

/// How a Winograd gather is cut. A tile group is a rectangle of tiles in some images. Either each chunk
/// transforms a tile group and multiplies it with all panels; or, where there are few groups, chunks share
/// out the transforms first and the panels then.
struct WinogradPlan {
  BandPlan band;        // of tiles
  std::int64_t images;  // of a tile group
  std::int64_t panels;
  std::int64_t channels;     // that are copied at a time
  std::int64_t pitch;        // of a channel's transformed tiles
  std::int64_t point_pitch;  // of the transformed tiles of all channels
  std::int64_t panel_splits, channel_splits;
  bool shared() const { return panel_splits > 1 || channel_splits > 1; }
  std::int64_t tiles() const { return images * band.pixels(); }
  std::int64_t tile_groups(const Gather& g) const {
    return ceil_div(g.images, images) * g.groups * band.rectangles();
  }
  std::int64_t transformed_size() const { return tile_points * point_pitch; }
};

/// A size in elements as an odd number of cache lines, so that strides of it do not meet in few sets of the
/// cache.
template <class T>
FASTDL_INLINE std::int64_t odd_lines(std::int64_t size) {
  constexpr std::int64_t line = 64 / sizeof(T);
  return (ceil_div(size, line) | 1) * line;
}

template <class T>
WinogradPlan plan_winograd(const Gather& gather) {
  constexpr std::int64_t wanted_chunks = 16, transformed_elements = 1 << 13, most_shared = 1 << 22;
  const Gather tiles = tiles_of(gather);
  WinogradPlan plan{};
  plan.panels = ceil_div(gather.rows, panel_width<T>);
  const std::int64_t image_tiles = tiles.h.outputs * tiles.columns();
  const std::int64_t all = gather.images * gather.groups * image_tiles;
  // Few enough tiles to stay in the second-level cache once transformed, enough of them to repay fetching the
  // kernel.
  const std::int64_t best = std::clamp<std::int64_t>(transformed_elements / gather.channels, 56, 224);
  const bool few = all / wanted_chunks < best && tile_points * gather.channels * all < most_shared;
  const std::int64_t wanted = few ? std::min<std::int64_t>(all, 112) : best;
  plan.band = plan_bands<T>(tiles, wanted, true);
  plan.images = std::clamp<std::int64_t>(wanted / image_tiles, 1, std::max<std::int64_t>(1, gather.images));
  plan.images = ceil_div(gather.images, ceil_div(gather.images, plan.images));
  plan.pitch = odd_lines<T>(plan.tiles() + lanes<T>);
  plan.point_pitch = odd_lines<T>(gather.channels * plan.pitch);
  plan.panel_splits = plan.channel_splits = 1;
  if (few) {
    const std::int64_t missing = ceil_div(wanted_chunks, std::max<std::int64_t>(1, plan.tile_groups(gather)));
    plan.panel_splits = std::min(missing, plan.panels);
    plan.channel_splits = std::min(missing, ceil_div(gather.channels, 8));
  }
  plan.channels = std::clamp<std::int64_t>(32768 / plan.band.channel_pitch, 1,
                                           ceil_div(gather.channels, plan.channel_splits));
  return plan;
}

/// Vector FMAs of the Winograd product, its transforms and the kernel's among them, over those of the plain
/// one.
template <class T>
double winograd_cost_ratio(const Gather& gather) {
  const Gather tiles = tiles_of(gather);
  const double channels = static_cast<double>(gather.channels), images = static_cast<double>(gather.images);
  const double vectors = static_cast<double>(ceil_div(gather.rows, lanes<T>));
  const double tile_rows_ = static_cast<double>(tiles.h.outputs),
               columns = static_cast<double>(tiles.columns());
  const double row_vectors = static_cast<double>(ceil_div(tiles.columns(), lanes<T>));
  const double plain =
      images * static_cast<double>(gather.h.outputs * gather.columns()) * vectors * channels * 9;
  const double products = images * tile_rows_ * columns * vectors * channels * tile_points;
  const double transforms = images * tile_rows_ * (row_vectors * channels * 120 + columns * vectors * 80);
  const double kernel = vectors * channels * 160;
  return (products + transforms + kernel) / plain;
}

/// B' d: one column of a tile.
template <class T>
FASTDL_INLINE void transform_input(Vec<T>& d0, Vec<T>& d1, Vec<T>& d2, Vec<T>& d3) {
  const Vec<T> a = d0 - d2, b = d1 + d2, c = d2 - d1, d = d1 - d3;
  d0 = a, d1 = b, d2 = c, d3 = d;
}

/// Transforms one vector of tiles: `points` are where their 4 x 4 inputs lie, the results go `point_pitch`
/// apart.
template <class T>
FASTDL_INLINE void transform_tiles(const T* at, const std::int64_t* points, std::int64_t point_pitch, T* to) {
  Vec<T> d[4][4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) d[i][j] = load(at + points[4 * i + j]);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) transform_input<T>(d[0][j], d[1][j], d[2][j], d[3][j]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    transform_input<T>(d[i][0], d[i][1], d[i][2], d[i][3]);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + (4 * i + j) * point_pitch, d[i][j]);
  }
}

/// A' m A for one tile and vector of channels; `point_pitch` from one product to the next.
template <class T>
FASTDL_INLINE void transform_output(const T* at, std::int64_t point_pitch, Vec<T> (&y)[2][2]) {
  Vec<T> half[2][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const auto m = [&](int i) { return load(at + (4 * i + j) * point_pitch); };
    const Vec<T> middle = m(1), next = m(2);
    half[0][j] = m(0) + middle + next;
    half[1][j] = middle - next - m(3);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    y[i][0] = half[i][0] + half[i][1] + half[i][2];
    y[i][1] = half[i][1] - half[i][2] - half[i][3];
  }
}

/// G g G' of one vector of a kernel's 3 x 3 taps, `flip` apart where the taps run backwards.
template <class T>
FASTDL_INLINE void transform_kernel(const T* taps, std::int64_t width, bool flip_h, bool flip_w,
                                    std::int64_t point_pitch, T* to) {
  Vec<T> rows[4][3];
#pragma GCC unroll 3
  for (int s = 0; s < 3; ++s) {
    const auto tap = [&](int r) {
      return load(taps + ((flip_h ? 2 - r : r) * 3 + (flip_w ? 2 - s : s)) * width);
    };
    const Vec<T> first = tap(0), middle = tap(1), last = tap(2), ends = (first + last) * T(0.5);
    rows[0][s] = first, rows[1][s] = ends + middle * T(0.5), rows[2][s] = ends - middle * T(0.5),
    rows[3][s] = last;
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const Vec<T> ends = (rows[i][0] + rows[i][2]) * T(0.5), middle = rows[i][1] * T(0.5);
    const Vec<T> results[] = {rows[i][0], ends + middle, ends - middle, rows[i][2]};
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + (4 * i + j) * point_pitch, results[j]);
  }
}

/// The transformed kernel: for each group and panel (points, channels, width of the panel), points
/// `point_pitch` apart.
template <class T>
struct WinogradKernel {
  PackedKernel<T> packed;
  T* elements;

  static std::int64_t point_pitch(const Gather& g) { return odd_lines<T>(g.channels * panel_width<T>); }
  static std::int64_t panels(const Gather& g) { return ceil_div(g.rows, panel_width<T>); }
  T* panel(std::int64_t group, std::int64_t index) const {
    const Gather& g = *packed.gather;
    return elements + (group * panels(g) + index) * point_pitch(g) * tile_points;
  }
  static std::int64_t size(const Gather& g) { return g.groups * panels(g) * point_pitch(g) * tile_points; }
};

template <class T>
void transform_kernels(const Gather& gather, const WinogradKernel<T>& kernel) {
  const std::int64_t panels = ceil_div(gather.rows, panel_width<T>);
  const EvenCut channels(gather.channels, 64);
  parallel_for(gather.groups * panels * channels.pieces, [&](std::int64_t chunk) {
    const std::int64_t piece = chunk % channels.pieces, panel = chunk / channels.pieces % panels,
                       group = chunk / channels.pieces / panels;
    const std::int64_t width = kernel.packed.vectors(panel) * lanes<T>;
    for (std::int64_t c = channels.begin(piece); c < channels.begin(piece + 1); ++c)
      for (std::int64_t v = 0; v < width; v += lanes<T>)
        transform_kernel(kernel.packed.panel(group, 0, panel) + c * 9 * width + v, width,
                         gather.h.base_step < 0, gather.w[0].base_step < 0, kernel.point_pitch(gather),
                         kernel.panel(group, panel) + c * width + v);
  });
}

template <class T>
struct WinogradOperands {
  const T* source;
  const T* bias;  // a whole number of vectors for each group, or null
  T* target;
  WinogradKernel<T> kernel;
  const std::int64_t* point_offsets;  // (16)
};

/// One tile group.
struct TileGroup {
  std::int64_t group, images;
  Rectangle at;  // of the first image

  TileGroup(const Gather& gather, const Gather& tiles, const WinogradPlan& plan, std::int64_t index) {
    const std::int64_t rectangles = plan.band.rectangles();
    group = index / rectangles % gather.groups;
    const std::int64_t image = index / rectangles / gather.groups * plan.images;
    images = std::min(plan.images, gather.images - image);
    at = plan.band.rectangle(tiles, image, index % rectangles);
  }
  std::int64_t image_tiles() const { return at.rows * at.columns; }
};

/// Channels [begin, end) of a tile group, transformed: (points, channels, tiles). `band` is scratch memory.
template <class T>
void transform_group(const Gather& tiles, const WinogradPlan& plan, const WinogradOperands<T>& operands,
                     const TileGroup& group, std::int64_t begin, std::int64_t end, T* band, T* transformed) {
  const T* source = operands.source + group.group * tiles.channels * tiles.source.channel;
  const std::int64_t row_step = 2 * plan.band.row_pitch;
  Rectangle one = group.at;
  for (std::int64_t i = 0; i < group.images; ++i, ++one.image) {
    for (std::int64_t first = begin; first < end; first += plan.channels) {
      const std::int64_t last = std::min(end, first + plan.channels);
      copy_band(tiles, plan.band, one, source, first, last, band);
      for (std::int64_t c = first; c < last; ++c) {
        T* to = transformed + c * plan.pitch + i * group.image_tiles();
        const T* from = band + (c - first) * plan.band.channel_pitch;
        for (std::int64_t p = 0; p < one.rows; ++p, to += one.columns, from += row_step)
          for (std::int64_t q = 0; q < one.columns; q += lanes<T>)
            transform_tiles(from + q, operands.point_offsets, plan.point_pitch, to + q);
      }
    }
  }
}

/// products (points, tiles, panel_width) of the transformed tiles and one panel.
template <class T>
void multiply_points(const Gather& gather, const WinogradPlan& plan, std::int64_t tiles, const T* transformed,
                     const T* panel, int vectors, T* products, std::int64_t product_pitch) {
  static constexpr std::int64_t here = 0;
  const bool whole = gather.channels < 3 * lane_depth / 2;
  const EvenCut cut(tiles, run_rows), blocks(gather.channels, whole ? gather.channels : lane_depth);
  for (int point = 0; point < tile_points; ++point) {
    const T* a = transformed + point * plan.point_pitch;
    const T* b = panel + point * WinogradKernel<T>::point_pitch(gather);
    for (std::int64_t block = 0; block < blocks.pieces; ++block) {
      const std::int64_t first = blocks.begin(block);
      for (std::int64_t i = 0; i < cut.pieces; ++i)
        lane_tile<false, T>(static_cast<int>(cut.size(i)), vectors)(
            {blocks.size(block), plan.pitch, &here, 1}, a + first * plan.pitch + cut.begin(i), nullptr,
            b + first * vectors * lanes<T>,
            {products + point * product_pitch + cut.begin(i) * panel_width<T>, panel_width<T>, nullptr,
             block > 0});
    }
  }
}

/// Turns one image's products into outputs (rows, columns, panel_width) of the rectangle `at`, `tile_columns`
/// tiles wide.
template <class T>
void finish_rectangle(const Rectangle& at, std::int64_t columns_of_tiles, const T* products,
                      std::int64_t product_pitch, int vectors, const T* bias, T* outputs) {
  for (std::int64_t p = 0; p < at.rows; p += 2) {
    for (std::int64_t q = 0; q < at.columns; q += 2) {
      const std::int64_t tile = p / 2 * columns_of_tiles + q / 2;
      for (int v = 0; v < vectors; ++v) {
        Vec<T> y[2][2];
        transform_output(products + tile * panel_width<T> + v * lanes<T>, product_pitch, y);
        const Vec<T> start = bias ? load(bias + v * lanes<T>) : Vec<T>{};
        T* to = outputs + (p * at.columns + q) * panel_width<T> + v * lanes<T>;
        for (int i = 0; i < 2 && p + i < at.rows; ++i)
          for (int j = 0; j < 2 && q + j < at.columns; ++j)
            store(to + (i * at.columns + j) * panel_width<T>, y[i][j] + start);
      }
    }
  }
}

/// A chunk's scratch memory.
template <class T>
struct WinogradScratch {
  std::int64_t product_pitch, outputs, size;
  explicit WinogradScratch(const WinogradPlan& plan) {
    product_pitch = odd_lines<T>(plan.tiles() * panel_width<T>);
    outputs = tile_points * product_pitch;
    size = outputs + 4 * plan.band.pixels() * panel_width<T>;
  }
};

/// Panels [first, last) of a tile group that is transformed.
template <class T>
void multiply_group(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands,
                    const TileGroup& group, const T* transformed, std::int64_t first, std::int64_t last,
                    T* products) {
  const WinogradScratch<T> scratch(plan);
  T* const outputs = products + scratch.outputs;
  const std::int64_t tiles = group.image_tiles();
  Rectangle pixels{group.at.image, 2 * group.at.row,
                   std::min(2 * group.at.rows, gather.h.outputs - 2 * group.at.row), 2 * group.at.column,
                   std::min(2 * group.at.columns, gather.columns() - 2 * group.at.column)};
  for (std::int64_t panel = first; panel < last; ++panel) {
    const int vectors = operands.kernel.packed.vectors(panel);
    const std::int64_t row = panel * panel_width<T>;
    multiply_points(gather, plan, group.images * tiles, transformed,
                    operands.kernel.panel(group.group, panel), vectors, products, scratch.product_pitch);
    const T* bias =
        operands.bias ? operands.bias + group.group * operands.kernel.packed.padded_rows() + row : nullptr;
    for (std::int64_t i = 0; i < group.images; ++i) {
      pixels.image = group.at.image + i;
      finish_rectangle(pixels, group.at.columns, products + i * tiles * panel_width<T>, scratch.product_pitch,
                       vectors, bias, outputs);
      for (int v = 0; v < vectors; ++v) {
        const LaneBuffer<T> buffer{outputs + v * lanes<T>, pixels.columns};
        const std::int64_t channel = row + v * lanes<T>;
        write_lanes(gather, pixels, &buffer,
                    static_cast<int>(std::min<std::int64_t>(lanes<T>, gather.rows - channel)),
                    operands.target + (group.group * gather.rows + channel) * gather.target.channel);
      }
    }
  }
}

/// Elements of the workspace for transformed tiles that chunks share.
template <class T>
FASTDL_INLINE std::int64_t shared_tiles_size(const Gather& gather, const WinogradPlan& plan) {
  return plan.shared() ? plan.tile_groups(gather) * plan.transformed_size() : 0;
}

/// `transformed`: shared_tiles_size.
template <class T>
void run_winograd(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands,
                  T* transformed) {
  const Gather tiles = tiles_of(gather);
  const std::int64_t band_size = odd_lines<T>(plan.channels * plan.band.channel_pitch + band_slack<T>);
  const std::int64_t groups = plan.tile_groups(gather), products = WinogradScratch<T>(plan).size;
  const auto scratch = [](std::int64_t elements) {
    return Workspace(static_cast<std::size_t>(elements) * sizeof(T));
  };
  if (!plan.shared()) {
    parallel_for(groups, [&](std::int64_t chunk) {
      const Workspace memory = scratch(band_size + plan.transformed_size() + products);
      T* const band = static_cast<T*>(memory.data());
      const TileGroup group(gather, tiles, plan, chunk);
      transform_group(tiles, plan, operands, group, 0, gather.channels, band, band + band_size);
      multiply_group(gather, plan, operands, group, band + band_size, 0, plan.panels,
                     band + band_size + plan.transformed_size());
    });
    return;
  }
  parallel_for(groups * plan.channel_splits, [&](std::int64_t chunk) {
    const Workspace memory = scratch(band_size);
    const std::int64_t share = chunk % plan.channel_splits, index = chunk / plan.channel_splits;
    transform_group(tiles, plan, operands, TileGroup(gather, tiles, plan, index),
                    share * gather.channels / plan.channel_splits,
                    (share + 1) * gather.channels / plan.channel_splits, static_cast<T*>(memory.data()),
                    transformed + index * plan.transformed_size());
  });
  parallel_for(groups * plan.panel_splits, [&](std::int64_t chunk) {
    const Workspace memory = scratch(products);
    const std::int64_t share = chunk % plan.panel_splits, index = chunk / plan.panel_splits;
    multiply_group(gather, plan, operands, TileGroup(gather, tiles, plan, index),
                   transformed + index * plan.transformed_size(), share * plan.panels / plan.panel_splits,
                   (share + 1) * plan.panels / plan.panel_splits, static_cast<T*>(memory.data()));
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
