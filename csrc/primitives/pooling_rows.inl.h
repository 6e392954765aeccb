// What the pooling loops share whose lanes are neighbouring outputs of a row: vectors of every second column,
// rows of scratch, results too large for the caches.
#pragma once

#include "primitives/pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

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

/// Backward where windows are pairs of columns that tile the image. pairs(output, q, count) looks at the
/// outputs [output, output + count), which are q, q + 1, … of their row, and gives what row r of their
/// windows gets when called with r and two vectors. Wide rows are written one after the other: two streams at
/// once are slower.
template <class T, class Pairs>
FASTDL_INLINE void for_pairs_backward(const PoolingGeometry& g, T* grad_x, Pairs&& pairs) {
  const std::int64_t Q = g.w.outputs, K = g.h.kernel, W = g.w.size;
  const bool streamed = is_streamed(g, grad_x, W);
  for_output_rows(g, [&](std::int64_t plane, std::int64_t begin, std::int64_t end) {
    std::int64_t output = plane * g.output_plane() + begin * Q;
    T* to = grad_x + plane * g.input_plane() + begin * K * W;
    const auto give = [&](const auto& of, std::int64_t r, std::int64_t q) {
      Vec<T> v[2];
      of(r, v);
      store_steps<2>(to + 2 * q, W - 2 * q, v, streamed);
    };
    for (std::int64_t p = begin; p < end; ++p, output += Q) {
      if (Q <= lanes<T>) {
        const auto of = pairs(output, 0, static_cast<int>(Q));
        for (std::int64_t r = 0; r < K; ++r, to += W) give(of, r, 0);
        continue;
      }
      for (std::int64_t r = 0; r < K; ++r, to += W)
        for (std::int64_t q = 0; q < Q; q += lanes<T>)
          give(pairs(output + q, q, static_cast<int>(std::min<std::int64_t>(lanes<T>, Q - q))), r, q);
    }
    if (streamed) streaming_fence();
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
