// What the pooling loops share: how the work is cut, windows, and lanes across planes or channels.
#pragma once

#include <algorithm>

#include "core/allocator.h"
#include "core/simd.h"
#include "core/thread_pool.h"
#include "primitives/pooling.h"

namespace fastdl::FASTDL_ISA {
namespace {

constexpr std::int64_t pooling_chunk = 32768;  // elements read by a chunk of work

/// The taps [first, last) of a window lie inside the axis, tap t at origin + t * dilation.
struct Window {
  std::int64_t origin, first, last;
};

/// Those of all outputs.
class Windows {
 public:
  explicit Windows(const WindowAxis& axis)
      : memory_(static_cast<std::size_t>(axis.outputs) * sizeof(Window)),
        windows_(static_cast<Window*>(memory_.data())),
        outputs_(axis.outputs) {
    for (std::int64_t o = 0; o < axis.outputs; ++o)
      windows_[o] = {axis.origin(o), axis.first_tap(o), axis.last_tap(o)};
  }
  const Window& operator[](std::int64_t o) const { return windows_[o]; }

  /// How far apart the windows of outputs [o, o + count) are, where they have the same taps and are equally
  /// far apart; 0 where they are not.
  std::int64_t step(std::int64_t o, int count) const {
    if (o + count > outputs_) return 0;
    const std::int64_t step = windows_[o + 1].origin - windows_[o].origin;
    for (int i = 1; i < count; ++i) {
      const Window &before = windows_[o + i - 1], &window = windows_[o + i];
      if (window.first != before.first || window.last != before.last || window.origin - before.origin != step)
        return 0;
    }
    return step;
  }

 private:
  Workspace memory_;
  Window* windows_;
  std::int64_t outputs_;
};

/// Calls rows(plane, begin, end) over parts of every plane's output rows, cut by shape alone.
template <class Rows>
FASTDL_INLINE void for_output_rows(const PoolingGeometry& g, Rows&& rows) {
  const std::int64_t P = g.h.outputs, count = g.planes * P;
  if (count == 0 || g.w.outputs == 0) return;
  const std::int64_t row_cost = std::max<std::int64_t>(1, g.input_plane() / P);
  const std::int64_t step = std::max<std::int64_t>(1, pooling_chunk / row_cost);
  parallel_for((count + step - 1) / step, [&](std::int64_t chunk) {
    const std::int64_t stop = std::min(count, (chunk + 1) * step);
    for (std::int64_t row = chunk * step, plane = row / P; row < stop; ++plane) {
      const std::int64_t end = std::min(stop, (plane + 1) * P);
      rows(plane, row - plane * P, end - plane * P);
      row = end;
    }
  });
}

/// Calls planes(begin, end) over parts of the planes, cut by shape alone.
template <class Planes>
FASTDL_INLINE void for_planes(const PoolingGeometry& g, Planes&& planes) {
  const std::int64_t step =
      std::max<std::int64_t>(1, pooling_chunk / std::max<std::int64_t>(1, g.input_plane()));
  parallel_for((g.planes + step - 1) / step,
               [&](std::int64_t chunk) { planes(chunk * step, std::min(g.planes, (chunk + 1) * step)); });
}

/// Calls rows(plane, plane_end, begin, end) over parts of every plane's input rows, cut by shape alone.
template <class Rows>
FASTDL_INLINE void for_input_rows(const PoolingGeometry& g, Rows&& rows) {
  const std::int64_t step = std::max<std::int64_t>(1, pooling_chunk / g.w.size);
  const std::int64_t blocks = (g.h.size + step - 1) / step;
  const std::int64_t planes = std::max<std::int64_t>(1, step / g.h.size);
  parallel_for((g.planes + planes - 1) / planes * blocks, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk % blocks * step, plane = chunk / blocks * planes;
    rows(plane, std::min(g.planes, plane + planes), begin, std::min(g.h.size, begin + step));
  });
}

/// A window onto rows of pixels, each with its channels side by side.
template <class T>
struct PixelRows {
  T* data;
  std::int64_t first_row, columns, pixel;  // `pixel`: elements from one to the next

  T* row(std::int64_t h) const { return data + (h - first_row) * columns * pixel; }
};

/// Of four vectors of pixels, four to a plane, those that hold every plane's first, second, … pixel.
template <class V>
FASTDL_INLINE void gather_fours(V* v) {
  const Two<V> low = deinterleave(v[0], v[1]), high = deinterleave(v[2], v[3]);
  const Two<V> even = deinterleave(low.first, high.first), odd = deinterleave(low.second, high.second);
  v[0] = even.first, v[1] = odd.first, v[2] = even.second, v[3] = odd.second;
}

template <class V>
FASTDL_INLINE void scatter_fours(V* v) {
  const Two<V> even = interleave(v[0], v[2]), odd = interleave(v[1], v[3]);
  const Two<V> low = interleave(even.first, odd.first), high = interleave(even.second, odd.second);
  v[0] = low.first, v[1] = low.second, v[2] = high.first, v[3] = high.second;
}

/// Whole blocks of planes with one or four pixels need no transposition.
FASTDL_INLINE bool is_small_block(std::int64_t distance, int planes, std::int64_t count) {
  return planes == pooling_block && distance == count && (count == 1 || count == 4);
}

template <class T>
FASTDL_INLINE void gather_small_block(const T* from, std::int64_t count, T* to) {
  if (count == 1) return static_cast<void>(std::copy_n(from, pooling_block, to));
  for (int k = 0; k < pooling_block; k += lanes<T>) {
    Vec<T> v[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) v[j] = load(from + 4 * k + j * lanes<T>);
    gather_fours(v);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + j * pooling_block + k, v[j]);
  }
}

template <class T>
FASTDL_INLINE void scatter_small_block(const T* from, std::int64_t count, T* to) {
  if (count == 1) return static_cast<void>(std::copy_n(from, pooling_block, to));
  for (int k = 0; k < pooling_block; k += lanes<T>) {
    Vec<T> v[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) v[j] = load(from + j * pooling_block + k);
    scatter_fours(v);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(to + 4 * k + j * lanes<T>, v[j]);
  }
}

/// to[i][k] = from[k][i] for i < count, k < planes; zeros for the other k < pooling_block. Planes are
/// `distance` apart.
template <class T>
void gather_planes(const T* from, std::int64_t distance, int planes, std::int64_t count, T* to) {
  constexpr int width = lanes<T>;
  if (is_small_block(distance, planes, count)) return gather_small_block(from, count, to);
  for (int k = 0; k < pooling_block; k += width)
    for (std::int64_t i = 0; i < count; i += width) {
      const int part = static_cast<int>(std::min<std::int64_t>(width, count - i));
      const T* p = from + k * distance + i;
      Vec<T> rows[width];
#pragma GCC unroll 16
      for (int j = 0; j < width; ++j)
        rows[j] = k + j < planes ? load_partial(p + j * distance, part) : Vec<T>{};
    // The next block's: sixteen streams are more than a processor follows.
#pragma GCC unroll 16
      for (int j = 0; j < width; ++j) __builtin_prefetch(p + (pooling_block + j) * distance);
      transpose(rows);
      T* at = to + i * pooling_block + k;
#pragma GCC unroll 16
      for (int j = 0; j < width; ++j)
        if (j < part) store(at + j * pooling_block, rows[j]);
    }
}

/// The inverse, for the planes that there are.
template <class T>
void scatter_planes(const T* from, std::int64_t distance, int planes, std::int64_t count, T* to) {
  constexpr int width = lanes<T>;
  if (is_small_block(distance, planes, count)) return scatter_small_block(from, count, to);
  for (int k = 0; k < planes; k += width)
    for (std::int64_t i = 0; i < count; i += width) {
      const int part = static_cast<int>(std::min<std::int64_t>(width, count - i));
      const T* at = from + i * pooling_block + k;
      Vec<T> rows[width];
#pragma GCC unroll 16
      for (int j = 0; j < width; ++j) rows[j] = j < part ? load(at + j * pooling_block) : Vec<T>{};
      transpose(rows);
      T* p = to + k * distance + i;
#pragma GCC unroll 16
      for (int j = 0; j < width; ++j)
        if (k + j < planes) store_partial(p + j * distance, rows[j], part);
    }
}

/// Distances between the vectors that are pooled side by side, so that they need not wait for each other:
/// neighbouring channels, or a channel's neighbouring outputs. `tap`: of what there is one of for an output.
struct PixelSteps {
  std::int64_t x, y, tap;
};
constexpr int pixel_vectors = 4;

template <class T>
void clear_pixels(T* pixels, std::int64_t count, std::int64_t pixel, std::int64_t channels) {
  if (pixel == channels) return static_cast<void>(std::fill_n(pixels, count * channels, T(0)));
  for (std::int64_t i = 0; i < count; ++i) std::fill_n(pixels + i * pixel, channels, T(0));
}

/// The work of pooling across planes or channels: images (of a block of planes each, or of the channels)
/// times parts of the channels times parts of the rows. By shape alone.
struct PixelChunks {
  std::int64_t images, channels, rows, channel_step, row_step;

  PixelChunks(std::int64_t image_count, std::int64_t channel_count, std::int64_t row_count,
              std::int64_t row_cost)  // elements of a channel that a row stands for
      : images(image_count), channels(channel_count), rows(row_count) {
    constexpr std::int64_t narrowest = 64;
    row_cost = std::max<std::int64_t>(1, row_cost);
    channel_step = std::clamp<std::int64_t>(pooling_chunk / row_cost / narrowest * narrowest, narrowest,
                                            std::max<std::int64_t>(narrowest, channels));
    row_step = std::max<std::int64_t>(
        1, pooling_chunk / (row_cost * std::max<std::int64_t>(1, std::min(channel_step, channels))));
  }
  std::int64_t channel_parts() const { return (channels + channel_step - 1) / channel_step; }
  std::int64_t row_parts() const { return (rows + row_step - 1) / row_step; }

  /// Calls part(image, channel begin, channel end, row begin, row end, scratch), with scratch memory for a
  /// chunk.
  template <class Part>
  FASTDL_INLINE void run(std::size_t scratch_bytes, Part&& part) const {
    if (rows == 0) return;
    // Small images share a chunk.
    const std::int64_t each = channel_parts() * row_parts(),
                       several = std::max<std::int64_t>(1, row_step / rows);
    const std::int64_t parts = images * each;
    parallel_for((parts + several - 1) / several, [&](std::int64_t chunk) {
      const Workspace scratch(scratch_bytes);
      for (std::int64_t i = chunk * several; i < std::min(parts, (chunk + 1) * several); ++i) {
        const std::int64_t image = i / each, c = i % each / row_parts() * channel_step,
                           row = i % row_parts() * row_step;
        part(image, c, std::min(channels, c + channel_step), row, std::min(rows, row + row_step),
             scratch.data());
      }
    });
  }
};

/// Planes in blocks, each a chunk's image.
struct PlaneBlocks {
  const PoolingGeometry& g;

  std::int64_t count() const { return (g.planes + pooling_block - 1) / pooling_block; }
  std::int64_t first(std::int64_t block) const { return block * pooling_block; }
  int planes(std::int64_t block) const {
    return static_cast<int>(std::min(pooling_block, g.planes - first(block)));
  }
};

/// The input rows that output rows [begin, end) need.
struct BlockBand {
  std::int64_t row_begin, row_end, columns, outputs;

  BlockBand(const PoolingGeometry& g, const Windows& windows, std::int64_t begin, std::int64_t end)
      : row_begin(g.h.size), row_end(0), columns(g.w.size), outputs((end - begin) * g.w.outputs) {
    for (std::int64_t p = begin; p < end; ++p) {
      const Window& window = windows[p];
      row_begin = std::min(row_begin, window.origin + window.first * g.h.dilation);
      row_end = std::max(row_end, window.origin + (window.last - 1) * g.h.dilation + 1);
    }
  }
  std::int64_t input_elements() const { return (row_end - row_begin) * columns * pooling_block; }
  std::int64_t output_elements() const { return outputs * pooling_block; }
};

/// The output rows [begin, end) whose windows meet input rows [row_begin, row_end).
struct MeetingWindows {
  std::int64_t begin, end;

  MeetingWindows(const Windows& windows, const WindowAxis& axis, std::int64_t row_begin, std::int64_t row_end)
      : begin(0), end(axis.outputs) {
    const auto last_row = [&](std::int64_t p) {
      return windows[p].origin + (windows[p].last - 1) * axis.dilation;
    };
    const auto first_row = [&](std::int64_t p) {
      return windows[p].origin + windows[p].first * axis.dilation;
    };
    if (row_begin > 0)
      while (begin < end && last_row(begin) < row_begin) ++begin;
    if (row_end < axis.size)
      while (end > begin && first_row(end - 1) >= row_end) --end;
  }
};

/// The most that size(row begin, row end) says of a part's rows.
template <class Size>
FASTDL_INLINE std::int64_t most_elements(const PixelChunks& chunks, Size&& size) {
  std::int64_t most = 0;
  for (std::int64_t row = 0; row < chunks.rows; row += chunks.row_step)
    most = std::max<std::int64_t>(most, size(row, std::min(chunks.rows, row + chunks.row_step)));
  return most;
}

/// Scratch for a part of a block: what its output rows need and give.
FASTDL_INLINE std::int64_t forward_elements(const PoolingGeometry& g, const Windows& rows,
                                            const PixelChunks& chunks) {
  return most_elements(chunks, [&](std::int64_t begin, std::int64_t end) {
    const BlockBand band(g, rows, begin, end);
    return band.input_elements() + band.output_elements();
  });
}

/// The same for input rows and the outputs that meet them.
FASTDL_INLINE std::int64_t backward_elements(const PoolingGeometry& g, const Windows& rows,
                                             const PixelChunks& chunks) {
  return most_elements(chunks, [&](std::int64_t begin, std::int64_t end) {
    const MeetingWindows meeting(rows, g.h, begin, end);
    return ((end - begin) * g.w.size + (meeting.end - meeting.begin) * g.w.outputs) * pooling_block;
  });
}

/// Forward over planes that are turned into pixels block by block. Calls body(input, first plane, planes,
/// begin, end, result) for output rows [begin, end) of a block.
template <class T, class Body>
void pool_blocks(const PoolingGeometry& g, const Windows& rows, const T* x, T* y, const Body& body) {
  const PlaneBlocks blocks{g};
  const std::int64_t out = g.output_plane();
  if (out == 0) return;
  const PixelChunks chunks(blocks.count(), pooling_block, g.h.outputs, g.input_plane() / g.h.outputs);
  const std::int64_t elements = forward_elements(g, rows, chunks);
  chunks.run(static_cast<std::size_t>(elements) * sizeof(T), [&](std::int64_t block, std::int64_t,
                                                                 std::int64_t, std::int64_t begin,
                                                                 std::int64_t end, void* scratch) {
    const BlockBand band(g, rows, begin, end);
    const int planes = blocks.planes(block);
    const std::int64_t first = blocks.first(block);
    T *in = static_cast<T*>(scratch), *result = in + band.input_elements();
    gather_planes(x + first * g.input_plane() + band.row_begin * g.w.size, g.input_plane(), planes,
                  band.input_elements() / pooling_block, in);
    body(PixelRows<const T>{in, band.row_begin, g.w.size, pooling_block}, first, planes, begin, end, result);
    scatter_planes(result, out, planes, band.output_elements() / pooling_block,
                   y + first * out + begin * g.w.outputs);
  });
}

/// Backward likewise. Calls body(gradient of input rows [begin, end), first plane, planes, begin, end, the
/// output rows that meet them, their gradient); what it adds to is zero where `cleared`.
template <class T, class Body>
void pool_blocks_backward(const PoolingGeometry& g, const Windows& rows, bool cleared, const T* grad_y,
                          T* grad_x, const Body& body) {
  const PlaneBlocks blocks{g};
  const std::int64_t out = g.output_plane();
  const PixelChunks chunks(blocks.count(), pooling_block, g.h.size, g.w.size);
  const std::int64_t elements = backward_elements(g, rows, chunks);
  chunks.run(static_cast<std::size_t>(elements) * sizeof(T), [&](std::int64_t block, std::int64_t,
                                                                 std::int64_t, std::int64_t begin,
                                                                 std::int64_t end, void* scratch) {
    const MeetingWindows meeting(rows, g.h, begin, end);
    const int planes = blocks.planes(block);
    const std::int64_t first = blocks.first(block), pixels = (end - begin) * g.w.size,
                       outputs = (meeting.end - meeting.begin) * g.w.outputs;
    T *to = static_cast<T*>(scratch), *grad = to + pixels * pooling_block;
    if (cleared) std::fill_n(to, pixels * pooling_block, T(0));
    gather_planes(grad_y + first * out + meeting.begin * g.w.outputs, out, planes, outputs, grad);
    body(PixelRows<T>{to, begin, g.w.size, pooling_block}, first, planes, begin, end, meeting, grad);
    scatter_planes(to, g.input_plane(), planes, pixels, grad_x + first * g.input_plane() + begin * g.w.size);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
