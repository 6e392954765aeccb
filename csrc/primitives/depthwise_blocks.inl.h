// A depthwise gather over small planes: as many planes as a vector has lanes are turned, so that their
// channels lie side by side, run as pixels, and turned back.
#pragma once

#include "primitives/depthwise_pixels.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// `count` planes of `elements` to (elements, lanes), the lanes behind the last plane zero.
template <class T>
void turn_planes(const T* planes, std::int64_t pitch, int count, std::int64_t elements, T* to) {
  for (std::int64_t j = 0; j < elements; j += lanes<T>) {
    for (int i = 0; i < lanes<T>; ++i) __builtin_prefetch(planes + (lanes<T> + i) * pitch + j);
    turn_rows(planes + j, pitch, count, static_cast<int>(std::min<std::int64_t>(lanes<T>, elements - j)),
              lanes<T>, to + j * lanes<T>);
  }
}

/// The way back.
template <class T>
void turn_back(const T* from, std::int64_t pitch, int count, std::int64_t elements, T* planes) {
  for (std::int64_t j = 0; j < elements; j += lanes<T>) {
    const int width = static_cast<int>(std::min<std::int64_t>(lanes<T>, elements - j));
    Vec<T> block[lanes<T>];
    if (width == lanes<T> && count == lanes<T>) {
#pragma GCC unroll 16
      for (int i = 0; i < lanes<T>; ++i) block[i] = load(from + (j + i) * lanes<T>);
      transpose(block);
#pragma GCC unroll 16
      for (int i = 0; i < lanes<T>; ++i) store(planes + i * pitch + j, block[i]);
      continue;
    }
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i) block[i] = i < width ? load(from + (j + i) * lanes<T>) : Vec<T>{};
    transpose(block);
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i)
      if (i < count) store_partial(planes + i * pitch + j, block[i], width);
  }
}

/// Blocks of a gather's planes, and the same gather over the block of one image that they are turned to.
template <class T>
struct PlaneBlocks {
  Gather turned;
  std::int64_t blocks, source_elements, target_elements;

  explicit PlaneBlocks(const Gather& gather) : turned(gather) {
    const GatherAxis &h = gather.h, &w = gather.w[0];
    constexpr std::int64_t n = lanes<T>;
    blocks = ceil_div(gather.groups, n);
    source_elements = h.source * w.source, target_elements = h.outputs * w.target;
    turned.source = {0, 1, w.source * n, n}, turned.target = {0, 1, w.target * n, n};
    turned.h.target_begin = 0, turned.h.target_step = 1;
  }
  std::int64_t first(std::int64_t block) const { return block * lanes<T>; }
  int count(std::int64_t block) const {
    return static_cast<int>(std::min<std::int64_t>(lanes<T>, turned.groups - first(block)));
  }
  std::int64_t elements() const { return (source_elements + target_elements) * lanes<T>; }
};

/// Whether turning planes is worth it: where the blocks stay in the first-level cache, or with a step that
/// columns as lanes would have to take apart or put together, in the second-level one.
template <class T>
bool worth_turning(const Gather& gather) {
  const std::int64_t cache = gather.step_w() == 1 && gather.phases == 1 ? 32768 : 131072;
  if (gather.rows != 1 || gather.channels != 1 || gather.images * gather.groups == 0) return false;
  std::int64_t columns = 0;
  for (int phase = 0; phase < gather.phases; ++phase) columns += gather.w[phase].outputs;
  if (columns != gather.w[0].target || 2 * gather.groups < lanes<T>) return false;
  const double elements = static_cast<double>(gather.h.source) * static_cast<double>(gather.w[0].source) +
                          static_cast<double>(gather.h.outputs) * static_cast<double>(gather.w[0].target);
  return elements * FASTDL_VECTOR_BYTES <= cache;
}

template <class T>
void run_depthwise_blocks(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target,
                          T* turned_kernel) {
  const PlaneBlocks<T> planes(gather);
  const std::int64_t taps = gather.all_taps(), of_block = taps * lanes<T>;
  for (std::int64_t block = 0; block < planes.blocks; ++block)
    turn_kernel(gather, planes.first(block), planes.count(block), lanes<T>, kernel,
                turned_kernel + block * of_block);
  const DepthwisePixels<T> pixels(planes.turned, lanes<T>);
  const std::int64_t units = gather.images * planes.blocks;
  const std::int64_t chunks = depthwise_chunks(
      units, gather.h.outputs * gather.columns() * std::max<std::int64_t>(1, taps) * lanes<T>);
  parallel_for(chunks, [&](std::int64_t chunk) {
    const Workspace memory(static_cast<std::size_t>(planes.elements()) * sizeof(T));
    T *const from = static_cast<T*>(memory.data()), *const to = from + planes.source_elements * lanes<T>;
    for (std::int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
      const std::int64_t image = unit / planes.blocks, block = unit % planes.blocks,
                         first = planes.first(block);
      const int count = planes.count(block);
      turn_planes(source + image * gather.source.image + first * gather.source.channel, gather.source.channel,
                  count, planes.source_elements, from);
      for (std::int64_t row = 0; row < gather.h.outputs; ++row)
        pixels.run_row(row, from, count, turned_kernel + block * of_block, bias ? bias + first : nullptr, to);
      T* const back = target + image * gather.target.image + first * gather.target.channel;
      const GatherAxis& h = gather.h;
      if (h.target_step == 1 && h.outputs == h.target) {
        turn_back(to, gather.target.channel, count, planes.target_elements, back);
        continue;
      }
      for (std::int64_t row = 0; row < h.outputs; ++row)
        turn_back(to + row * planes.turned.target.row, gather.target.channel, count, gather.w[0].target,
                  back + (h.target_begin + row * h.target_step) * gather.target.row);
    }
  });
}

// ---- the gradient of the kernel

/// Splits of the images whose sums are added in order.
template <class T>
FASTDL_INLINE std::int64_t block_weight_splits(const Gather& gather) {
  constexpr std::int64_t wanted_chunks = 16;
  return std::clamp<std::int64_t>(ceil_div(wanted_chunks, ceil_div(gather.groups, lanes<T>)), 1,
                                  std::max<std::int64_t>(1, gather.images));
}

/// Partial sums (splits, blocks, taps, lanes).
template <class T>
void sum_block_gradients(const Gather& gather, std::int64_t splits, const T* source, const T* grad,
                         T* partial) {
  const PlaneBlocks<T> planes(gather);
  const DepthwisePixelGradients<T> pixels(planes.turned, lanes<T>);
  const std::int64_t of_block = gather.taps(0) * lanes<T>;
  parallel_for(splits * planes.blocks, [&](std::int64_t chunk) {
    const Workspace memory(static_cast<std::size_t>(planes.elements()) * sizeof(T));
    T *const from = static_cast<T*>(memory.data()), *const gradients =
                                                        from + planes.source_elements * lanes<T>;
    const std::int64_t split = chunk / planes.blocks, block = chunk % planes.blocks,
                       first = planes.first(block);
    const int count = planes.count(block);
    T* const totals = partial + chunk * of_block;
    std::fill_n(totals, of_block, T(0));
    for (std::int64_t image = split * gather.images / splits; image < (split + 1) * gather.images / splits;
         ++image) {
      turn_planes(source + image * gather.source.image + first * gather.source.channel, gather.source.channel,
                  count, planes.source_elements, from);
      turn_planes(grad + image * gather.target.image + first * gather.target.channel, gather.target.channel,
                  count, planes.target_elements, gradients);
      for (std::int64_t row = 0; row < gather.h.outputs; ++row)
        pixels.add_row(row, from, lanes<T>, gradients, totals);
    }
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
