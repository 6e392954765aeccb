// What the pooling loops share: how the work is cut, windows, and vectors of every second column or of
// planes.
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

// ---- lanes along a row ----

/// p[0], p[Step], p[2 Step], …; touches nothing beyond the last of them.
template <int Step, class T>
FASTDL_INLINE Vec<T> load_steps(const T* p) {
  static_assert(Step == 1 || Step == 2);
  if constexpr (Step == 1) return load(p);
  // The second vector starts one early, so that it ends with the last element wanted.
  else
    return even_then_odd(load(p), load(p + lanes<T> - 1));
}

/// v[1], v[2], …, next[0]
template <FloatVec V, std::size_t... I>
FASTDL_INLINE V shift_down(V v, V next, std::index_sequence<I...>) {
  return shuffle<static_cast<int>(I + 1)...>(v, next);
}
template <FloatVec V>
FASTDL_INLINE V shift_down(V v, V next) {
  return shift_down(v, next, std::make_index_sequence<lanes<Lane<V>>>{});
}

/// The last lane of `previous`, v[0], v[1], …
template <FloatVec V, std::size_t... I>
FASTDL_INLINE V shift_up(V v, V previous, std::index_sequence<I...>) {
  return shuffle<static_cast<int>(I + lanes<Lane<V>> - 1)...>(previous, v);
}
template <FloatVec V>
FASTDL_INLINE V shift_up(V v, V previous) {
  return shift_up(v, previous, std::make_index_sequence<lanes<Lane<V>>>{});
}

/// Which of a row's columns from `column` on lie inside [0, width), for load_steps near a border.
template <int Step, class T>
struct StepLanes {
  int begin[Step], end[Step];

  StepLanes() = default;
  StepLanes(std::int64_t column, std::int64_t width) {
    const auto inside = [](std::int64_t lane) {
      return static_cast<int>(std::clamp<std::int64_t>(lane, 0, lanes<T>));
    };
    for (int i = 0; i < Step; ++i, column += lanes<T> - 1) {
      end[i] = inside(width - column);
      begin[i] = std::min(inside(-column), end[i]);
    }
  }
  FASTDL_INLINE Vec<T> load_from(const T* p, T fill) const {
    const Vec<T> first = load_between(p, begin[0], end[0], fill);
    if constexpr (Step == 1)
      return first;
    else
      return even_then_odd(first, load_between(p + lanes<T> - 1, begin[1], end[1], fill));
  }
};

/// The mask of a row's columns from `column` on, every Step-th, that lie inside [0, width).
template <int Step, class T>
FASTDL_INLINE IntVec<T> lanes_inside(std::int64_t column, std::int64_t width) {
  const IntVec<T> columns = lane_index<T>() * Step + static_cast<Lane<IntVec<T>>>(column);
  return (columns >= 0) & (columns < static_cast<Lane<IntVec<T>>>(width));
}

/// The outputs [begin, end) whose windows lie within the axis.
struct WholeWindows {
  std::int64_t begin, end;

  explicit WholeWindows(const WindowAxis& axis) : begin(0), end(0) {
    const std::int64_t last_origin = axis.size - 1 - (axis.kernel - 1) * axis.dilation;
    begin = std::min(axis.outputs, (axis.padding + axis.stride - 1) / axis.stride);
    end = last_origin + axis.padding < 0
              ? 0
              : std::min(axis.outputs, (last_origin + axis.padding) / axis.stride + 1);
    end = std::max(begin, end);
  }
};

/// Calls block(q, count, whole) for runs of at most `lanes` outputs that cover [0, outputs), the last of them
/// going back over outputs of the one before; `whole` where no window of a full vector leaves the axis.
template <class T, class Block>
FASTDL_INLINE void for_output_blocks(const WindowAxis& axis, const WholeWindows& whole, Block&& block) {
  constexpr std::int64_t width = lanes<T>;
  for (std::int64_t q = 0; q < axis.outputs; q += width) {
    const std::int64_t begin = std::max<std::int64_t>(0, std::min(q, axis.outputs - width));
    const int count = static_cast<int>(std::min(width, axis.outputs - begin));
    block(begin, count, begin >= whole.begin && begin + width <= whole.end);
  }
}

/// Whether a result's rows are written past the caches, which saves reading what is overwritten. They must be
/// whole lines, and input and output together more than caches keep.
template <class T>
FASTDL_INLINE bool is_streamed(const PoolingGeometry& g, const T* result, std::int64_t columns) {
  constexpr std::int64_t fewest_bytes = std::int64_t{64} << 20, line = 64;
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  return g.planes * (g.input_plane() + g.output_plane()) * size >= fewest_bytes &&
         columns * size % line == 0 && reinterpret_cast<std::uintptr_t>(result) % line == 0;
}

template <class T>
FASTDL_INLINE void store_whole(T* to, Vec<T> v, bool streamed) {
  streamed ? store_streaming(to, v) : store(to, v);
}

/// Column m * Step + residue of a row gets lane m of v[residue]; only `room` columns are left.
template <int Step, class T>
FASTDL_INLINE void store_steps(T* to, std::int64_t room, const Vec<T>* v, bool streamed = false) {
  if constexpr (Step == 1) {
    room >= lanes<T> ? store_whole(to, v[0], streamed) : store_partial(to, v[0], static_cast<int>(room));
  } else {
    const Two<Vec<T>> both = interleave(v[0], v[1]);
    if (room >= 2 * lanes<T>) {
      store_whole(to, both.first, streamed);
      store_whole(to + lanes<T>, both.second, streamed);
    } else {
      store_partial(to, both.first, static_cast<int>(std::min<std::int64_t>(lanes<T>, room)));
      if (room > lanes<T>) store_partial(to + lanes<T>, both.second, static_cast<int>(room - lanes<T>));
    }
  }
}

/// Rows of scratch, with `fill` on both sides for the lanes that leave them.
template <class E>
class PaddedRows {
 public:
  PaddedRows(std::int64_t rows, std::int64_t columns, std::int64_t margin, E fill)
      : pitch_(columns + 2 * margin),
        margin_(margin),
        memory_(static_cast<std::size_t>(rows * pitch_) * sizeof(E)) {
    std::fill_n(static_cast<E*>(memory_.data()), rows * pitch_, fill);
  }
  E* operator[](std::int64_t row) const { return static_cast<E*>(memory_.data()) + row * pitch_ + margin_; }
  std::int64_t pitch() const { return pitch_; }

 private:
  std::int64_t pitch_, margin_;
  Workspace memory_;
};

/// Rows are worked on so many at a time: a row of scratch is read long after it was written, for a processor
/// stalls where a load spans stores that are still under way.
constexpr std::int64_t rows_at_a_time = 8;

/// The same in `count` elements, the last vector over some of the one before.
template <class T>
FASTDL_INLINE void fill_row(Vec<T> v, std::int64_t count, T* to) {
  if (count < lanes<T>) return store_partial(to, v, static_cast<int>(count));
  for (std::int64_t i = 0; i + lanes<T> <= count; i += lanes<T>) store(to + i, v);
  store(to + count - lanes<T>, v);
}

/// A short row: without a call.
FASTDL_INLINE void copy_bytes(const std::uint8_t* from, std::int64_t count, std::uint8_t* to) {
  constexpr std::int64_t step = 16;
  std::int64_t i = 0;
  for (; i + step <= count; i += step) __builtin_memcpy(to + i, from + i, step);
  for (; i < count; ++i) to[i] = from[i];
}

template <class T>
FASTDL_INLINE void copy_row(const T* from, std::int64_t count, T* to) {
  std::int64_t i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) store(to + i, load(from + i));
  if (i < count)
    store_partial(to + i, load_partial(from + i, static_cast<int>(count - i)), static_cast<int>(count - i));
}

/// Whether every element of the image belongs to one window.
FASTDL_INLINE bool windows_tile(const PoolingGeometry& g) {
  const auto tile = [](const WindowAxis& axis) {
    return axis.kernel == axis.stride && axis.padding == 0 && axis.dilation == 1 &&
           axis.outputs * axis.kernel == axis.size;
  };
  return tile(g.h) && tile(g.w);
}

/// Backward where windows are pairs of columns that tile the image. pair(output, r, q, count, v) gives row r
/// of the windows of `count` outputs from `output` on, which are q, q + 1, … of their row. The rows are
/// written one after the other: two streams at once are slower.
template <class T, class Pair>
FASTDL_INLINE void for_pairs_backward(const PoolingGeometry& g, T* grad_x, Pair&& pair) {
  const std::int64_t Q = g.w.outputs, K = g.h.kernel, W = g.w.size;
  const bool streamed = is_streamed(g, grad_x, W);
  for_output_rows(g, [&](std::int64_t plane, std::int64_t begin, std::int64_t end) {
    std::int64_t output = plane * g.output_plane() + begin * Q;
    T* to = grad_x + plane * g.input_plane() + begin * K * W;
    for (std::int64_t p = begin; p < end; ++p, output += Q)
      for (std::int64_t r = 0; r < K; ++r, to += W)
        for (std::int64_t q = 0; q < Q; q += lanes<T>) {
          Vec<T> v[2];
          pair(output + q, r, q, static_cast<int>(std::min<std::int64_t>(lanes<T>, Q - q)), v);
          store_steps<2>(to + 2 * q, W - 2 * q, v, streamed);
        }
    if (streamed) streaming_fence();
  });
}

// ---- lanes across planes or channels ----

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
