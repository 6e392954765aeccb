// Max pooling where the lanes are neighbouring columns of a plane, and of planes that are one window each.
#pragma once

#include "primitives/max_pooling_pixels.inl.h"
#include "primitives/pooling_rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// The first tap of every output's window that lies in its row, as lanes to load.
template <class T>
class FirstTaps {
 public:
  explicit FirstTaps(const WindowAxis& axis)
      : memory_(static_cast<std::size_t>(axis.outputs + lanes<T>) * sizeof(T)),
        taps_(static_cast<Lane<IntVec<T>>*>(memory_.data())) {
    for (std::int64_t o = 0; o < axis.outputs + lanes<T>; ++o)
      taps_[o] = static_cast<Lane<IntVec<T>>>(o < axis.outputs ? axis.first_tap(o) : 0);
  }
  IntVec<T> operator[](std::int64_t o) const {
    IntVec<T> taps;
    __builtin_memcpy(&taps, taps_ + o, sizeof taps);
    return taps;
  }

 private:
  Workspace memory_;
  Lane<IntVec<T>>* taps_;
};

/// How a block of outputs reads a row: as it lies; beyond its ends too, into other rows; or no more of it
/// than there is, for where x itself ends.
enum class Loads { whole, between, partial };

/// Output rows of one plane, with windows `Columns` taps wide; 0: as wide as they are. A window's maximum is
/// separable: of each of its rows first, then of those. That keeps the order of the taps.
template <class T, class Tap, int Step, int Columns, bool Tracked>
struct MaxRows {
  using Found = Maximum<T, Tracked>;
  /// Of the input, whose maxima windows one above the other share.
  static constexpr std::int64_t most_rows = 24;

  const PoolingGeometry& g;
  const FirstTaps<T>& first_taps;
  const Windows& windows;

  FASTDL_INLINE int columns() const { return Columns > 0 ? Columns : static_cast<int>(g.w.kernel); }
  bool shared() const { return g.h.stride < g.h.kernel && g.h.kernel <= most_rows / 2; }
  /// Output rows whose windows lie in most_rows rows.
  std::int64_t band() const { return shared() ? (most_rows - g.h.kernel) / g.h.stride + 1 : rows_at_a_time; }

  /// Which lanes of a tap lie inside the row: the same for every row.
  struct Inside {
    IntVec<T> taps[Columns > 0 ? Columns : widest_window], first;
  };

  /// The maximum of a window's taps in one row, which starts at `from`.
  template <Loads Kind>
  FASTDL_INLINE Found row(const T* from, const Inside& inside, std::int64_t column) const {
    const auto tap = [&](int s, Vec<T> v) {
      return Kind == Loads::between ? select(inside.taps[s], v, broadcast(lowest<T>)) : v;
    };
    const auto loaded = [&](int s) {
      if constexpr (Kind == Loads::partial)
        return StepLanes<Step, T>(column + s, g.w.size).load_from(from + s, lowest<T>);
      else
        return tap(s, load_steps<Step>(from + s));
    };
    if constexpr (Kind != Loads::partial) prefetch_ahead<Step>(from);
    if constexpr (Kind != Loads::partial && Step == 2 && Columns > 1) {
      // Odd padding: the vectors start with the second tap, which is where rows of whole lines have a line's
      // start, and no load spans two lines.
      const bool odd = Columns == 3 && g.w.padding % 2 == 1;
      const T* p = from + odd;
      const Two<Vec<T>> pairs = deinterleave(load(p), load(p + lanes<T>));
      const Vec<T> first = odd ? shift_up(pairs.second, broadcast(*from)) : pairs.first;
      Found found{tap(0, first), inside.first};
      found.meet(tap(1, odd ? pairs.first : pairs.second), 1);
      if constexpr (Columns == 3)
        found.meet(tap(2, odd ? pairs.second : shift_down(pairs.first, broadcast(p[2 * lanes<T>]))), 2);
      return found;
    }
    Found found{loaded(0), inside.first};
    if constexpr (Columns > 0) {
      found.meet(loaded(1), 1);
      if constexpr (Columns == 3) found.meet(loaded(2), 2);
    } else {
      for (int s = 1; s < columns(); ++s) found.meet(loaded(s), s);
    }
    return found;
  }

  /// Outputs [q, q + count) of the rows [begin, end), at most band() of them.
  template <Loads Kind, bool Shared>
  FASTDL_INLINE void block(const T* plane, std::int64_t begin, std::int64_t end, std::int64_t q, int count,
                           T* y, Tap* taps, bool streamed) const {
    const std::int64_t column = q * Step - g.w.padding, W = g.w.size, Q = g.w.outputs;
    Inside inside;
    inside.first = Kind == Loads::whole ? IntVec<T>{} : first_taps[q];
    if constexpr (Kind == Loads::between)
      for (int s = 0; s < columns(); ++s) inside.taps[s] = lanes_inside<Step, T>(column + s, W);
    const T* from = plane + column;
    y += begin * Q + q;
    if constexpr (Tracked) taps += begin * Q + q;
    Found rows[most_rows];
    std::int64_t top = 0;
    if constexpr (Shared) {
      top = windows[begin].origin + windows[begin].first;
      const std::int64_t count_rows = windows[end - 1].origin + windows[end - 1].last - top;
      const T* at = from + top * W;
      for (std::int64_t h = 0; h < count_rows; ++h, at += W) rows[h] = row<Kind>(at, inside, column);
    }
    const std::int64_t numbers = columns();
    for (std::int64_t p = begin; p < end; ++p, y += Q) {
      const Window h = windows[p];
      Found found;
      if constexpr (Shared) {
        const Found* at = rows + (h.origin + h.first - top);
        found = *at++;
        if constexpr (Tracked) found.where += all_lanes<T>(h.first * numbers);
        for (std::int64_t r = h.first + 1; r < h.last; ++r) found.meet(*at++, r * numbers);
      } else {
        const T* at = from + (h.origin + h.first) * W;
        found = row<Kind>(at, inside, column);
        if constexpr (Tracked) found.where += all_lanes<T>(h.first * numbers);
        for (std::int64_t r = h.first + 1; r < h.last; ++r)
          found.meet(row<Kind>(at += W, inside, column), r * numbers);
      }
      count == lanes<T> ? store_whole(y, found.best, streamed) : store_partial(y, found.best, count);
      if constexpr (Tracked) {
        store_taps<T>(taps, found.where, count);
        taps += Q;
      }
    }
  }

  /// How the block may be loaded whose first window starts at `column` of the rows [top, bottom).
  FASTDL_INLINE Loads loads(std::int64_t plane, std::int64_t top, std::int64_t bottom, std::int64_t column,
                            int count) const {
    const std::int64_t row = plane * g.h.size, reach = g.w.kernel;
    const std::int64_t vectors = column + (Step + 1) * lanes<T> + reach;
    if ((row + top) * g.w.size + column < 0 ||
        (row + bottom - 1) * g.w.size + vectors > g.planes * g.input_plane())
      return Loads::partial;
    const bool inside = column >= 0 && column + (count - 1) * Step + reach <= g.w.size;
    return inside ? Loads::whole : Loads::between;
  }

  /// Output rows [begin, end) of a plane.
  template <bool Shared>
  FASTDL_INLINE void run(std::int64_t plane, std::int64_t begin, std::int64_t end, const T* x, T* y,
                         Tap* taps, bool streamed) const {
    const std::int64_t rows = band(), Q = g.w.outputs;
    x += plane * g.input_plane(), y += plane * g.output_plane();
    if constexpr (Tracked) taps += plane * g.output_plane();
    for (; begin < end; begin += rows) {
      const std::int64_t stop = std::min(end, begin + rows);
      const std::int64_t top = std::max<std::int64_t>(0, windows[begin].origin),
                         bottom = std::min(g.h.size, windows[stop - 1].origin + g.h.kernel);
      // The last block goes back over outputs of the one before.
      for (std::int64_t next = 0; next < Q; next += lanes<T>) {
        const std::int64_t q = std::max<std::int64_t>(0, std::min<std::int64_t>(next, Q - lanes<T>));
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, Q - q));
        switch (loads(plane, top, bottom, q * Step - g.w.padding, count)) {
          case Loads::whole:
            block<Loads::whole, Shared>(x, begin, stop, q, count, y, taps, streamed);
            break;
          case Loads::between:
            block<Loads::between, Shared>(x, begin, stop, q, count, y, taps, streamed);
            break;
          case Loads::partial:
            block<Loads::partial, Shared>(x, begin, stop, q, count, y, taps, streamed);
        }
      }
    }
    if (streamed) streaming_fence();
  }
};

template <int Step, int Columns, bool Tracked, class T, class Tap>
void max_pool_rows_as(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const Windows windows(g.h);
  const FirstTaps<T> first_taps(g.w);
  const MaxRows<T, Tap, Step, Columns, Tracked> rows{g, first_taps, windows};
  const bool streamed = is_streamed(g, y, g.w.outputs);
  const auto run = [&](auto shared) {
    for_output_rows(g, [&](std::int64_t plane, std::int64_t begin, std::int64_t end) {
      rows.template run<decltype(shared)::value>(plane, begin, end, x, y, taps, streamed);
    });
  };
  rows.shared() ? run(std::true_type()) : run(std::false_type());
}

template <bool Tracked, class T, class Tap>
void max_pool_rows(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const auto with_columns = [&](auto step) {
    constexpr int stride = decltype(step)::value;
    switch (g.w.kernel) {
      case 2:
        return max_pool_rows_as<stride, 2, Tracked>(g, x, y, taps);
      case 3:
        return max_pool_rows_as<stride, 3, Tracked>(g, x, y, taps);
      default:
        return max_pool_rows_as<stride, 0, Tracked>(g, x, y, taps);
    }
  };
  g.w.stride == 1 ? with_columns(std::integral_constant<int, 1>())
                  : with_columns(std::integral_constant<int, 2>());
}

// ---- planes that are one window ----

/// The maximum of a plane; then, for the tap, where it is.
template <class T>
struct PlaneMaximum {
  const T* plane;
  std::int64_t count;

  FASTDL_INLINE Vec<T> at(std::int64_t i) const {
    return i + lanes<T> <= count ? load(plane + i)
                                 : load_partial(plane + i, static_cast<int>(count - i), lowest<T>);
  }

  T value() const {
    constexpr std::int64_t width = lanes<T>;
    Vec<T> best[4] = {at(0), broadcast(lowest<T>), broadcast(lowest<T>), broadcast(lowest<T>)};
    std::int64_t i = width;
    for (; i + 4 * width <= count; i += 4 * width)
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) best[v] = max_nan(best[v], load(plane + i + v * width));
    for (; i < count; i += width) best[0] = max_nan(best[0], at(i));
    return reduce_max_nan(max_nan(max_nan(best[0], best[1]), max_nan(best[2], best[3])));
  }

  /// The last NaN where `value` is one, else the first of equals.
  std::int64_t tap(T value) const {
    if (value != value) {
      std::int64_t i = count - 1;
      while (plane[i] == plane[i]) --i;
      return i;
    }
    std::int64_t i = 0;
    while (i + lanes<T> < count && !any(load(plane + i) == value)) i += lanes<T>;
    while (plane[i] != value) ++i;
    return i;
  }
};

template <bool Tracked, class T, class Tap>
void max_pool_planes(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const std::int64_t r = g.h.padding, s = g.w.padding;
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const PlaneMaximum<T> maximum{x + plane * g.input_plane(), g.input_plane()};
      y[plane] = maximum.value();
      if constexpr (Tracked) {
        const std::int64_t position = maximum.tap(y[plane]);
        taps[plane] = static_cast<Tap>((r + position / g.w.size) * g.tap_columns() + s + position % g.w.size);
      }
    }
  });
}

template <class T, class Tap>
void max_pool_backward_planes(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* to = grad_x + plane * g.input_plane();
      std::fill_n(to, g.input_plane(), T(0));
      const auto tap = static_cast<std::uint32_t>(taps[plane]);
      const auto columns = static_cast<std::uint32_t>(g.tap_columns());
      to[(tap / columns - g.h.padding) * g.w.size + tap % columns - g.w.padding] = grad_y[plane];
    }
  });
}

// ---- backward ----

/// Where windows are pairs of columns that tile the image: each gradient goes to one element of its window.
template <class T, class Tap>
void max_pool_backward_pairs(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  for_pairs_backward(g, grad_x, [&](std::int64_t output, std::int64_t, int count) {
    // A sum that starts with 0 has no -0.
    const Vec<T> grad = Vec<T>{} + load_up_to(grad_y + output, count);
    const IntVec<T> tap = load_bytes<T>(taps + output, count);
    return [=](std::int64_t r, Vec<T>* v) {
      v[0] = select(tap == all_lanes<T>(2 * r), grad, Vec<T>{});
      v[1] = select(tap == all_lanes<T>(2 * r + 1), grad, Vec<T>{});
    };
  });
}

/// The output rows whose windows meet an input row, and the number of the first tap of the first of them in
/// that row.
struct MeetingRows {
  std::int64_t first, count, first_tap;
};

/// Those of all input rows; without dilation.
class AllMeetingRows {
 public:
  explicit AllMeetingRows(const PoolingGeometry& g)
      : memory_(static_cast<std::size_t>(g.h.size) * sizeof(MeetingRows)),
        rows_(static_cast<MeetingRows*>(memory_.data())) {
    std::int64_t first = 0, end = 0;
    for (std::int64_t h = 0; h < g.h.size; ++h) {
      while (first < g.h.outputs && g.h.origin(first) + g.h.kernel <= h) ++first;
      end = std::max(end, first);
      while (end < g.h.outputs && g.h.origin(end) <= h) ++end;
      rows_[h] = {first, end - first, (h - g.h.origin(first)) * g.w.kernel};
    }
  }
  const MeetingRows& operator[](std::int64_t h) const { return rows_[h]; }

 private:
  Workspace memory_;
  MeetingRows* rows_;
};

/// `Columns` is the width of the windows, 0: any; Parity is their padding's.
template <class T, class Tap, int Step, int Columns, int Parity>
struct MaxRowsBackward {
  const PoolingGeometry& g;
  const AllMeetingRows& meeting;
  PaddedRows<T> grads;
  PaddedRows<Tap> taps;

  MaxRowsBackward(const PoolingGeometry& geometry, const AllMeetingRows& rows)
      : g(geometry),
        meeting(rows),
        grads(slots(), g.w.outputs, margin(), T(0)),
        taps(slots(), g.w.outputs, margin(), no_tap<Tap>) {}

  std::int64_t slots() const { return (rows_at_a_time + g.h.kernel - 2) / g.h.stride + 2; }
  std::int64_t margin() const {
    return 2 * lanes<T> + g.w.kernel + g.w.padding + std::max<std::int64_t>(0, g.w.size / Step - g.w.outputs);
  }

  /// Column m * Step + residue of a row gets sums[residue] from the output row that starts at `grad`.
  FASTDL_INLINE void meet(const T* grad, const Tap* tap, std::int64_t first_tap, std::int64_t m,
                          Vec<T>* sums) const {
    const auto add = [&](int residue, std::int64_t s) {
      const std::int64_t q = m - (s - Parity - residue) / Step;
      const IntVec<T> mine = load_bytes<T>(tap + q, lanes<T>) == all_lanes<T>(first_tap + s);
      sums[residue] = select(mine, sums[residue] + load(grad + q), sums[residue]);
    };
#pragma GCC unroll 2
    for (int residue = 0; residue < Step; ++residue) {
      if constexpr (Columns > 0) {
#pragma GCC unroll 5
        for (int s = (Parity + residue) % Step; s < Columns; s += Step) add(residue, s);
      } else {
        for (std::int64_t s = (Parity + residue) % Step; s < g.w.kernel; s += Step) add(residue, s);
      }
    }
  }

  /// A row of grad_x; `slot` has the first output row that meets it.
  FASTDL_INLINE void row(const MeetingRows& rows, std::int64_t slot, T* to, bool streamed) const {
    const std::int64_t pitch = grads.pitch(), W = g.w.size, next = g.h.stride * g.w.kernel;
    const T* first_grad = grads[slot] + g.w.padding / Step;
    const Tap* first_number = taps[slot] + g.w.padding / Step;
    for (std::int64_t m = 0; m * Step < W; m += lanes<T>) {
      Vec<T> sums[Step] = {};
      const T* grad = first_grad;
      const Tap* number = first_number;
      std::int64_t tap = rows.first_tap;
      for (std::int64_t i = 0; i < rows.count; ++i, grad += pitch, number += pitch, tap -= next)
        meet(grad, number, tap, m, sums);
      store_steps<Step>(to + m * Step, W - m * Step, sums, streamed);
    }
  }

  /// Rows [begin, end) of one plane.
  void run(const T* grad_y, const Tap* numbers, std::int64_t begin, std::int64_t end, T* grad_x,
           bool streamed) const {
    const std::int64_t Q = g.w.outputs, W = g.w.size;
    for (; begin < end; begin += rows_at_a_time) {
      const std::int64_t stop = std::min(end, begin + rows_at_a_time), first = meeting[begin].first;
      const std::int64_t last = meeting[stop - 1].first + meeting[stop - 1].count;
      for (std::int64_t p = first; p < last; ++p) {
        copy_row(grad_y + p * Q, Q, grads[p - first]);
        copy_bytes(numbers + p * Q, Q, taps[p - first]);
      }
      for (std::int64_t h = begin; h < stop; ++h)
        row(meeting[h], meeting[h].first - first, grad_x + h * W, streamed);
    }
  }
};

template <int Step, int Columns, int Parity, class T, class Tap>
void max_pool_backward_rows_as(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  const AllMeetingRows meeting(g);
  const bool streamed = is_streamed(g, grad_x, g.w.size);
  for_input_rows(g, [&](std::int64_t plane, std::int64_t plane_end, std::int64_t begin, std::int64_t end) {
    const MaxRowsBackward<T, Tap, Step, Columns, Parity> work(g, meeting);
    for (; plane < plane_end; ++plane)
      work.run(grad_y + plane * g.output_plane(), taps + plane * g.output_plane(), begin, end,
               grad_x + plane * g.input_plane(), streamed);
    if (streamed) streaming_fence();
  });
}

template <class T, class Tap>
void max_pool_backward_rows(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  if (g.w.stride == 2 && windows_tile(g)) return max_pool_backward_pairs(g, grad_y, taps, grad_x);
  const auto with_columns = [&](auto columns) {
    constexpr int width = decltype(columns)::value;
    if (g.w.stride == 1) return max_pool_backward_rows_as<1, width, 0>(g, grad_y, taps, grad_x);
    g.w.padding % 2 == 0 ? max_pool_backward_rows_as<2, width, 0>(g, grad_y, taps, grad_x)
                         : max_pool_backward_rows_as<2, width, 1>(g, grad_y, taps, grad_x);
  };
  switch (g.w.kernel) {
    case 3:
      return with_columns(std::integral_constant<int, 3>());
    case 5:
      return with_columns(std::integral_constant<int, 5>());
    default:
      return with_columns(std::integral_constant<int, 0>());
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
