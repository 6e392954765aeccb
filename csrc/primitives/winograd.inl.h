// A 3 x 3 gather with stride 1 by Winograd's minimal filtering F(M x M, 3 x 3): for M = 2, 16 products where
// the plain sum takes 36, and for M = 4, 36 where it takes 144. A. Lavin and S. Gray, Fast Algorithms for
// Convolutional Neural Networks, arXiv:1509.09308:
//   Y = A' [(G g G') . (B' d B)] A   for tiles d of M + 2 x M + 2 and Y of M x M, products summed over the
//   channels.
// With M = 2 the error is within that of a plain float32 sum from 16 channels on; with M = 4 it is some
// five times as large (tests/tolerances.py), so that takes float32 precision "high". An infinity or a NaN
// spreads over its tile.
#pragma once

#include "primitives/channel_lanes.inl.h"
#include "primitives/winograd_transforms.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE bool is_winograd_axis(const GatherAxis& axis) {
  return axis.taps == 3 && axis.step == 1 && (axis.base_step == 1 || axis.base_step == -1) &&
         axis.target_step == 1;
}

FASTDL_INLINE bool winograd_applies(const Gather& gather) {
  return gather.phases == 1 && is_winograd_axis(gather.h) && is_winograd_axis(gather.w[0]) &&
         gather.channels >= 16 && gather.rows >= 16;
}

/// The tiles of a gather, as a gather of their own: position (p, q) meets the inputs of one tile.
template <int M>
FASTDL_INLINE Gather tiles_of(Gather gather) {
  for (GatherAxis* axis : {&gather.h, &gather.w[0]}) {
    axis->base = axis->lowest(), axis->base_step = 1;
    axis->outputs = ceil_div(axis->outputs, M), axis->step = M, axis->taps = M + 2;
  }
  return gather;
}

/// How a Winograd gather is cut. A tile group is a rectangle of tiles in some images. Three ways: a chunk
/// transforms a tile group and multiplies it with all panels of the kernel. Where there are few groups,
/// chunks share out their transforms first, and then the panels of each. And where the kernel is large,
/// chunks share out the transforms of a round of images, and then the panels: a chunk transforms a panel
/// itself, and multiplies all tiles of the round while it is in the cache.
struct WinogradPlan {
  bool by_panels;       // the last way
  std::int64_t round;   // images of a round
  BandPlan band;        // of tiles
  std::int64_t images;  // of a tile group
  std::int64_t panels;
  std::int64_t depth_blocks;  // of the channels, each transformed and multiplied in turn; 1 but by panels
  std::int64_t channels;      // that are copied at a time
  std::int64_t pitch;         // of a channel's transformed tiles
  std::int64_t point_pitch;   // of the transformed tiles of all channels
  std::int64_t panel_splits, channel_splits;
  bool shared() const { return by_panels || panel_splits > 1 || channel_splits > 1; }
  std::int64_t tiles() const { return images * band.pixels(); }
  std::int64_t tile_groups(const Gather& g, std::int64_t of_images) const {
    return ceil_div(of_images, images) * g.groups * band.rectangles();
  }
};

/// A size in elements as an odd number of cache lines, so that strides of it do not meet in few sets of the
/// cache.
template <class T>
FASTDL_INLINE std::int64_t odd_lines(std::int64_t size) {
  constexpr std::int64_t line = 64 / sizeof(T);
  return (ceil_div(size, line) | 1) * line;
}

template <int M, class T>
WinogradPlan plan_winograd(const Gather& gather) {
  constexpr std::int64_t points = tile_points<M>, wanted_chunks = 16;
  // Elements of transformed tiles that a chunk keeps in the second-level cache, and that chunks share in the
  // third; of a transformed kernel that is too large for the second.
  constexpr std::int64_t own_tiles = (1 << 17) / points, shared_tiles = 1 << 21, large_kernel = 1 << 19;
  // Channels of a transformed panel that leave the second-level cache room for more.
  constexpr std::int64_t depth = 128;
  const Gather tiles = tiles_of<M>(gather);
  WinogradPlan plan{};
  plan.panels = ceil_div(gather.rows, panel_width<T>);
  const std::int64_t images = std::max<std::int64_t>(1, gather.images);
  const std::int64_t image_tiles = tiles.h.outputs * tiles.columns();
  const std::int64_t image_size = points * gather.channels * gather.groups * image_tiles;
  plan.by_panels = gather.groups * plan.panels >= wanted_chunks / 2 && image_size <= shared_tiles &&
                   points * gather.rows * gather.channels >= large_kernel;
  plan.round = plan.by_panels ? std::min(images, shared_tiles / image_size) : images;
  plan.round = ceil_div(images, ceil_div(images, plan.round));
  const std::int64_t all = plan.round * gather.groups * image_tiles;
  // Few enough tiles to stay in the second-level cache once transformed, enough of them to repay fetching the
  // kernel.
  const std::int64_t best =
      std::clamp<std::int64_t>(own_tiles / gather.channels, M == 2 ? 56 : 28, M == 2 ? 224 : 112);
  const bool few = all / wanted_chunks < best && plan.round * image_size < shared_tiles;
  const std::int64_t wanted = plan.by_panels || few ? std::min<std::int64_t>(all, 112) : best;
  plan.band = plan_bands<T>(tiles, wanted, true);
  plan.images = std::clamp<std::int64_t>(wanted / image_tiles, 1, plan.round);
  plan.images = ceil_div(plan.round, ceil_div(plan.round, plan.images));
  plan.pitch = odd_lines<T>(plan.tiles() + lanes<T>);
  plan.point_pitch = odd_lines<T>(gather.channels * plan.pitch);
  plan.depth_blocks = 1;
  if (plan.by_panels && gather.channels >= 3 * depth / 2)
    plan.depth_blocks = ceil_div(gather.channels, depth);
  plan.panel_splits = plan.channel_splits = 1;
  if (plan.by_panels || few) {
    const std::int64_t missing = ceil_div(wanted_chunks, plan.tile_groups(gather, plan.round));
    plan.panel_splits = plan.by_panels ? 1 : std::min(missing, plan.panels);
    plan.channel_splits = std::min(missing, ceil_div(gather.channels, 8));
  }
  plan.channels = std::clamp<std::int64_t>(32768 / plan.band.channel_pitch, 1,
                                           ceil_div(gather.channels, plan.channel_splits));
  return plan;
}

/// Vector FMAs that take as long as the transform of a vector of tiles of one channel, of the outputs of one
/// tile and vector of rows, and of a vector of kernels; and as packing one for the plain sum. Measured (Zen
/// 5, AVX-512).
template <int M>
struct TransformCosts {
  static constexpr double input = M == 2 ? 120 : 300, output = M == 2 ? 80 : 350, kernel = M == 2 ? 260 : 430,
                          plain_kernel = 220;
};

/// What the Winograd product takes over what the plain one does, transforms and packing among them.
template <int M, class T>
double winograd_cost_ratio(const Gather& gather) {
  using Costs = TransformCosts<M>;
  const Gather tiles = tiles_of<M>(gather);
  const double channels = static_cast<double>(gather.channels), images = static_cast<double>(gather.images);
  const double vectors = static_cast<double>(ceil_div(gather.rows, lanes<T>));
  const double tile_rows_ = static_cast<double>(tiles.h.outputs),
               columns = static_cast<double>(tiles.columns());
  const double row_vectors = static_cast<double>(ceil_div(tiles.columns(), lanes<T>));
  const double pixels = images * static_cast<double>(gather.h.outputs * gather.columns());
  const double plain = vectors * channels * (pixels * 9 + Costs::plain_kernel);
  const double products = images * tile_rows_ * columns * vectors * channels * tile_points<M>;
  const double transforms =
      images * tile_rows_ * (row_vectors * channels * Costs::input + columns * vectors * Costs::output);
  return (products + transforms + vectors * channels * Costs::kernel) / plain;
}

/// Pitches from one point to the next, and sizes.
template <int M, class T>
struct WinogradSizes {
  std::int64_t depth, panel_pitch, panel, transformed, product_pitch, products, outputs, band;

  WinogradSizes(const Gather& gather, const WinogradPlan& plan) {
    depth = ceil_div(gather.channels, plan.depth_blocks);
    panel_pitch = odd_lines<T>(depth * panel_width<T>);
    panel = tile_points<M> * panel_pitch;
    transformed = tile_points<M> * plan.point_pitch;
    product_pitch = odd_lines<T>(plan.tiles() * panel_width<T>);
    products = tile_points<M> * product_pitch;
    outputs = M * M * plan.band.pixels() * panel_width<T>;
    band = odd_lines<T>(plan.channels * plan.band.channel_pitch + band_slack<T>);
  }
};

template <class T>
struct WinogradOperands {
  const T* source;
  const T* kernel;
  const T* bias;  // a whole number of vectors for each group, or null
  T* target;
  const std::int64_t* point_offsets;
  T* panels;  // winograd_panels_size
  T* tiles;   // winograd_tiles_size
};

/// Elements of the workspace for transformed panels, where the chunks that multiply do not make them.
template <int M, class T>
FASTDL_INLINE std::int64_t winograd_panels_size(const Gather& gather, const WinogradPlan& plan) {
  return plan.by_panels ? 0 : gather.groups * plan.panels * WinogradSizes<M, T>(gather, plan).panel;
}

/// Elements of the workspace for transformed tiles that chunks share.
template <int M, class T>
FASTDL_INLINE std::int64_t winograd_tiles_size(const Gather& gather, const WinogradPlan& plan) {
  return plan.shared() ? plan.tile_groups(gather, plan.round) * WinogradSizes<M, T>(gather, plan).transformed
                       : 0;
}

// ---- the kernel

/// Channels of a kernel that are turned at a time: their taps stay in the first-level cache.
inline constexpr std::int64_t turned_channels = 16;

/// The taps of up to turned_channels channels [begin, end) of one vector of rows, the first of which is
/// `kernel`: (channels, 9, lanes).
template <class T>
FASTDL_INLINE void turn_taps(const Gather& gather, const T* kernel, int rows, std::int64_t begin,
                             std::int64_t end, T* to) {
  constexpr std::int64_t n = lanes<T>;
  if (gather.channel_stride == 9) {
    const std::int64_t taps = (end - begin) * 9;
    const T* from = kernel + begin * 9;
    for (int i = 0; i < rows; ++i) prefetch_run(from + i * gather.row_stride + taps, taps);
    for (std::int64_t k = 0; k < taps; k += n)
      turn_rows(from + k, gather.row_stride, rows, static_cast<int>(std::min(n, taps - k)), n, to + k * n);
    return;
  }
  for (std::int64_t c = begin; c < end; ++c, to += 9 * n) {
    const T* from = kernel + c * gather.channel_stride;
    prefetch_run(from + 4 * gather.channel_stride, rows * 9);
    for (std::int64_t k = 0; k < 9; k += n)
      turn_rows(from + k, gather.row_stride, rows, static_cast<int>(std::min<std::int64_t>(n, 9 - k)), n,
                to + k * n);
  }
}

/// Transforms channels [begin, end) of a panel: (points, channels, width of the panel), points `pitch` apart.
template <int M, class T>
void transform_panel(const Gather& gather, const T* kernel, std::int64_t group, std::int64_t panel,
                     std::int64_t begin, std::int64_t end, std::int64_t pitch, T* to) {
  alignas(64) T taps[turned_channels * 9 * lanes<T>];
  const std::int64_t first = panel * panel_width<T>;
  const std::int64_t rows = std::min<std::int64_t>(panel_width<T>, gather.rows - first);
  const std::int64_t width = rows > lanes<T> ? panel_width<T> : lanes<T>;
  kernel += group * gather.group_stride + first * gather.row_stride;
  for (std::int64_t c = begin; c < end; c += turned_channels, to += turned_channels * width) {
    const std::int64_t last = std::min(end, c + turned_channels);
    for (std::int64_t v = 0; v < width; v += lanes<T>) {
      turn_taps(gather, kernel + v * gather.row_stride,
                static_cast<int>(std::min<std::int64_t>(lanes<T>, rows - v)), c, last, taps);
      for (std::int64_t i = 0; i < last - c; ++i)
        transform_kernel<M>(taps + i * 9 * lanes<T>, gather.h.base_step < 0, gather.w[0].base_step < 0, pitch,
                            to + i * width + v);
    }
  }
}

template <int M, class T>
void transform_panels(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands) {
  const WinogradSizes<M, T> sizes(gather, plan);
  const EvenCut channels(gather.channels, 64);
  parallel_for(gather.groups * plan.panels * channels.pieces, [&](std::int64_t chunk) {
    const std::int64_t piece = chunk % channels.pieces, index = chunk / channels.pieces;
    const std::int64_t group = index / plan.panels, panel = index % plan.panels,
                       first = channels.begin(piece);
    const std::int64_t width = PackedKernel<T>{&gather, nullptr}.vectors(panel) * lanes<T>;
    transform_panel<M>(gather, operands.kernel, group, panel, first, channels.begin(piece + 1),
                       sizes.panel_pitch, operands.panels + index * sizes.panel + first * width);
  });
}

// ---- the tiles

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
template <int M, class T>
void transform_group(const Gather& tiles, const WinogradPlan& plan, const WinogradOperands<T>& operands,
                     const TileGroup& group, std::int64_t begin, std::int64_t end, T* band, T* transformed) {
  const T* source = operands.source + group.group * tiles.channels * tiles.source.channel;
  const std::int64_t row_step = M * plan.band.row_pitch;
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
            transform_tiles<M>(from + q, operands.point_offsets, plan.point_pitch, to + q);
      }
    }
  }
}

// ---- the products

/// products (points, tiles, panel_width) of channels [begin, end) of the transformed tiles and of one panel:
/// added to what is there, unless they are the first channels.
template <int M, class T>
void multiply_points(const WinogradPlan& plan, const WinogradSizes<M, T>& sizes, std::int64_t tiles,
                     std::int64_t begin, std::int64_t end, const T* transformed, const T* panel, int vectors,
                     T* products) {
  static constexpr std::int64_t here = 0;
  const std::int64_t channels = end - begin;
  const EvenCut cut(tiles, run_rows), blocks(channels, channels < 3 * lane_depth / 2 ? channels : lane_depth);
  for (int point = 0; point < tile_points<M>; ++point) {
    const T* a = transformed + point * plan.point_pitch + begin * plan.pitch;
    const T* b = panel + point * sizes.panel_pitch;
    for (std::int64_t block = 0; block < blocks.pieces; ++block) {
      const std::int64_t first = blocks.begin(block);
      for (std::int64_t i = 0; i < cut.pieces; ++i)
        lane_tile<false, T>(static_cast<int>(cut.size(i)), vectors)(
            {blocks.size(block), plan.pitch, &here, 1}, a + first * plan.pitch + cut.begin(i), nullptr,
            b + first * vectors * lanes<T>,
            {products + point * sizes.product_pitch + cut.begin(i) * panel_width<T>, panel_width<T>, nullptr,
             begin + first > 0});
    }
  }
}

/// Turns one image's products into outputs (rows, columns, panel_width) of the rectangle `at`, `tile_columns`
/// tiles wide.
template <int M, class T>
void finish_rectangle(const Rectangle& at, std::int64_t tile_columns, const T* products,
                      std::int64_t product_pitch, int vectors, const T* bias, T* outputs) {
  for (std::int64_t p = 0; p < at.rows; p += M) {
    for (std::int64_t q = 0; q < at.columns; q += M) {
      const std::int64_t tile = p / M * tile_columns + q / M;
      for (int v = 0; v < vectors; ++v) {
        Vec<T> y[M][M];
        transform_products<M>(products + tile * panel_width<T> + v * lanes<T>, product_pitch, y);
        const Vec<T> start = bias ? load(bias + v * lanes<T>) : Vec<T>{};
        T* to = outputs + (p * at.columns + q) * panel_width<T> + v * lanes<T>;
        for (int i = 0; i < M && p + i < at.rows; ++i)
          for (int j = 0; j < M && q + j < at.columns; ++j)
            store(to + (i * at.columns + j) * panel_width<T>, y[i][j] + start);
      }
    }
  }
}

/// Writes the outputs of a tile group and panel. `outputs` is scratch memory.
template <int M, class T>
void finish_group(const Gather& gather, const WinogradSizes<M, T>& sizes, const WinogradOperands<T>& operands,
                  const TileGroup& group, std::int64_t panel, const T* products, T* outputs) {
  const PackedKernel<T> packed{&gather, nullptr};
  const std::int64_t tiles = group.image_tiles(), row = panel * panel_width<T>;
  const int vectors = packed.vectors(panel);
  Rectangle pixels{group.at.image, M * group.at.row,
                   std::min(M * group.at.rows, gather.h.outputs - M * group.at.row), M * group.at.column,
                   std::min(M * group.at.columns, gather.columns() - M * group.at.column)};
  const T* bias = operands.bias ? operands.bias + group.group * packed.padded_rows() + row : nullptr;
  for (std::int64_t i = 0; i < group.images; ++i) {
    pixels.image = group.at.image + i;
    finish_rectangle<M>(pixels, group.at.columns, products + i * tiles * panel_width<T>, sizes.product_pitch,
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

/// Panels [first, last), transformed, times a transformed tile group, as outputs. `scratch`: products and
/// outputs.
template <int M, class T>
void multiply_group(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands,
                    const TileGroup& group, const T* transformed, std::int64_t first, std::int64_t last,
                    T* scratch) {
  const WinogradSizes<M, T> sizes(gather, plan);
  for (std::int64_t panel = first; panel < last; ++panel) {
    multiply_points(plan, sizes, group.images * group.image_tiles(), 0, gather.channels, transformed,
                    operands.panels + (group.group * plan.panels + panel) * sizes.panel,
                    PackedKernel<T>{&gather, nullptr}.vectors(panel), scratch);
    finish_group(gather, sizes, operands, group, panel, scratch, scratch + sizes.products);
  }
}

template <class T>
FASTDL_INLINE Workspace scratch_of(std::int64_t elements) {
  return Workspace(static_cast<std::size_t>(elements) * sizeof(T));
}

/// A chunk is a tile group.
template <int M, class T>
void run_tile_groups(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands) {
  const Gather tiles = tiles_of<M>(gather);
  const WinogradSizes<M, T> sizes(gather, plan);
  parallel_for(plan.tile_groups(gather, gather.images), [&](std::int64_t chunk) {
    const Workspace memory = scratch_of<T>(sizes.band + sizes.transformed + sizes.products + sizes.outputs);
    T *const band = static_cast<T*>(memory.data()), *const transformed = band + sizes.band;
    const TileGroup group(gather, tiles, plan, chunk);
    transform_group<M>(tiles, plan, operands, group, 0, gather.channels, band, transformed);
    multiply_group<M>(gather, plan, operands, group, transformed, 0, plan.panels,
                      transformed + sizes.transformed);
  });
}

/// The transforms of all tiles.
template <int M, class T>
void transform_shared(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands) {
  const Gather tiles = tiles_of<M>(gather);
  const WinogradSizes<M, T> sizes(gather, plan);
  parallel_for(plan.tile_groups(gather, gather.images) * plan.channel_splits, [&](std::int64_t chunk) {
    const Workspace memory = scratch_of<T>(sizes.band);
    const std::int64_t share = chunk % plan.channel_splits, index = chunk / plan.channel_splits;
    transform_group<M>(tiles, plan, operands, TileGroup(gather, tiles, plan, index),
                       share * gather.channels / plan.channel_splits,
                       (share + 1) * gather.channels / plan.channel_splits, static_cast<T*>(memory.data()),
                       operands.tiles + index * sizes.transformed);
  });
}

/// A chunk is some panels of a tile group that is transformed.
template <int M, class T>
void multiply_shared(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands) {
  const Gather tiles = tiles_of<M>(gather);
  const WinogradSizes<M, T> sizes(gather, plan);
  parallel_for(plan.tile_groups(gather, gather.images) * plan.panel_splits, [&](std::int64_t chunk) {
    const Workspace memory = scratch_of<T>(sizes.products + sizes.outputs);
    const std::int64_t share = chunk % plan.panel_splits, index = chunk / plan.panel_splits;
    multiply_group<M>(gather, plan, operands, TileGroup(gather, tiles, plan, index),
                      operands.tiles + index * sizes.transformed, share * plan.panels / plan.panel_splits,
                      (share + 1) * plan.panels / plan.panel_splits, static_cast<T*>(memory.data()));
  });
}

/// A chunk is a panel, which meets all tiles of its group.
template <int M, class T>
void multiply_by_panels(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands) {
  const Gather tiles = tiles_of<M>(gather);
  const WinogradSizes<M, T> sizes(gather, plan);
  const std::int64_t all = plan.tile_groups(gather, gather.images), each = all / gather.groups;
  parallel_for(gather.groups * plan.panels, [&](std::int64_t chunk) {
    const Workspace memory = scratch_of<T>(sizes.panel + sizes.outputs + each * sizes.products);
    T *const kernel = static_cast<T*>(memory.data()), *const outputs = kernel + sizes.panel;
    T* const products = outputs + sizes.outputs;
    const std::int64_t group = chunk / plan.panels, panel = chunk % plan.panels;
    const int vectors = PackedKernel<T>{&gather, nullptr}.vectors(panel);
    const auto for_tile_groups = [&](const auto& body) {
      T* to = products;
      for (std::int64_t index = 0; index < all; ++index) {
        const TileGroup at(gather, tiles, plan, index);
        if (at.group != group) continue;
        body(at, operands.tiles + index * sizes.transformed, to);
        to += sizes.products;
      }
    };
    const EvenCut blocks(gather.channels, sizes.depth);
    for (std::int64_t block = 0; block < blocks.pieces; ++block) {
      const std::int64_t begin = blocks.begin(block), end = blocks.begin(block + 1);
      transform_panel<M>(gather, operands.kernel, group, panel, begin, end, sizes.panel_pitch, kernel);
      for_tile_groups([&](const TileGroup& at, const T* transformed, T* to) {
        multiply_points(plan, sizes, at.images * at.image_tiles(), begin, end, transformed, kernel, vectors,
                        to);
      });
    }
    for_tile_groups([&](const TileGroup& at, const T*, T* from) {
      finish_group(gather, sizes, operands, at, panel, from, outputs);
    });
  });
}

template <int M, class T>
void run_winograd(const Gather& gather, const WinogradPlan& plan, const WinogradOperands<T>& operands) {
  if (!plan.by_panels) transform_panels<M>(gather, plan, operands);
  if (!plan.shared()) {
    run_tile_groups<M>(gather, plan, operands);
  } else if (!plan.by_panels) {
    transform_shared<M>(gather, plan, operands);
    multiply_shared<M>(gather, plan, operands);
  } else {
    Gather round = gather;
    WinogradOperands<T> at = operands;
    for (std::int64_t image = 0; image < gather.images; image += plan.round) {
      round.images = std::min(plan.round, gather.images - image);
      at.source = operands.source + image * gather.source.image;
      at.target = operands.target + image * gather.target.image;
      transform_shared<M>(round, plan, at);
      multiply_by_panels<M>(round, plan, at);
    }
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
