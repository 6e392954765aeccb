// Max pooling where the lanes are neighbouring columns of a plane, and of planes that are one window each.
#pragma once

#include "primitives/max_pooling_pixels.inl.h"

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

/// Output row p of one plane, with windows `Columns` taps wide.
template <class T, class Tap, int Step, int Columns, bool Tracked>
struct MaxRow {
  const PoolingGeometry& g;
  const FirstTaps<T>& first_taps;
  const T* plane;

  /// Outputs [q, q + count), all taps of whole vectors inside the row where `Whole`.
  template <bool Whole>
  FASTDL_INLINE void block(const Window& h, std::int64_t q, int count, T* y, Tap* taps) const {
    const std::int64_t column = q * Step - g.w.padding;
    Maximum<T, Tracked> found{broadcast(lowest<T>), all_lanes<T>(h.first * Columns)};
    if constexpr (!Whole && Tracked) found.where += first_taps[q];
    // The lanes inside the row are the same for every row.
    StepLanes<Step, T> inside[Columns];
    if constexpr (!Whole)
#pragma GCC unroll 3
      for (int s = 0; s < Columns; ++s) inside[s] = {column + s * g.w.dilation, g.w.size};
    for (std::int64_t r = h.first; r < h.last; ++r) {
      const T* row = plane + (h.origin + r * g.h.dilation) * g.w.size + column;
      prefetch_ahead<Step>(row);
#pragma GCC unroll 3
      for (int s = 0; s < Columns; ++s) {
        const T* from = row + s * g.w.dilation;
        if constexpr (Whole) {
          found.meet(load_steps<Step>(from), r * Columns + s);
        } else {
          found.meet(inside[s].load_from(from, lowest<T>), r * Columns + s);
        }
      }
    }
    if (count == lanes<T>) {
      store(y + q, found.best);
    } else {
      store_partial(y + q, found.best, count);
    }
    if constexpr (Tracked) store_taps<T>(taps + q, found.where, count);
  }

  FASTDL_INLINE void run(const Window& h, const WholeWindows& whole, T* y, Tap* taps) const {
    for_output_blocks<T>(g.w, whole, [&](std::int64_t q, int count, bool inside) {
      inside ? block<true>(h, q, count, y, taps) : block<false>(h, q, count, y, taps);
    });
  }
};

template <int Step, int Columns, bool Tracked, class T, class Tap>
void max_pool_rows_as(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const WholeWindows whole(g.w);
  const Windows rows(g.h);
  const FirstTaps<T> first_taps(g.w);
  const std::int64_t P = g.h.outputs, Q = g.w.outputs;
  for_output_rows(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const MaxRow<T, Tap, Step, Columns, Tracked> windows{g, first_taps, x + row / P * g.input_plane()};
      windows.run(rows[row % P], whole, y + row * Q, Tracked ? taps + row * Q : nullptr);
    }
  });
}

template <bool Tracked, class T, class Tap>
void max_pool_rows(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const auto with_columns = [&](auto step) {
    constexpr int stride = decltype(step)::value;
    if (g.w.kernel == 1) return max_pool_rows_as<stride, 1, Tracked>(g, x, y, taps);
    if (g.w.kernel == 2) return max_pool_rows_as<stride, 2, Tracked>(g, x, y, taps);
    max_pool_rows_as<stride, 3, Tracked>(g, x, y, taps);
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

/// What taps s of a window that starts at column q * stride - padding meet: column m * stride + residue with
/// m = q + shift.
struct TapColumn {
  std::int64_t tap, shift;
};

/// The taps for each residue.
class TapColumns {
 public:
  explicit TapColumns(const WindowAxis& axis) {
    for (int residue = 0; residue < axis.stride; ++residue)
      for (std::int64_t s = 0; s < axis.kernel; ++s) {
        const std::int64_t column = s * axis.dilation - axis.padding - residue;
        if (column % axis.stride == 0) columns_[residue][counts_[residue]++] = {s, column / axis.stride};
      }
  }
  int count(int residue) const { return counts_[residue]; }
  const TapColumn& operator()(int residue, int i) const { return columns_[residue][i]; }

  static constexpr int most_taps = 32;

 private:
  TapColumn columns_[2][most_taps];
  int counts_[2] = {};
};

template <class T, class Tap, int Step>
struct MaxRowsBackward {
  const PoolingGeometry& g;
  const TapColumns& columns;
  const Windows& windows;
  std::int64_t slots;
  PaddedRows<T> grads;
  PaddedRows<Tap> taps;

  MaxRowsBackward(const PoolingGeometry& geometry, const TapColumns& tap_columns, const Windows& rows)
      : g(geometry),
        columns(tap_columns),
        windows(rows),
        slots((g.h.kernel - 1) * g.h.dilation / g.h.stride + 1),
        grads(slots, g.w.outputs, margin(), T(0)),
        taps(slots, g.w.outputs, margin(), no_tap<Tap>) {}

  std::int64_t margin() const {
    return lanes<T> + (g.w.kernel - 1) * g.w.dilation / Step + g.w.padding + g.w.size / Step - g.w.outputs +
           1;
  }

  /// An output row that meets a row of grad_x.
  struct Source {
    const T* grad;
    const Tap* tap;
    std::int64_t first_tap;
  };

  /// Row h of grad_x from the output rows [p, p_end), which are in their slots.
  void row(std::int64_t h, std::int64_t p, std::int64_t p_end, T* to) const {
    Source sources[TapColumns::most_taps];
    int count = 0;
    for (; p < p_end; ++p) {
      const std::int64_t offset = h - windows[p].origin, r = offset / g.h.dilation;
      if (offset % g.h.dilation == 0 && r < g.h.kernel)
        sources[count++] = {grads[p % slots], taps[p % slots], r * g.w.kernel};
    }
    for (std::int64_t m = 0; m * Step < g.w.size; m += lanes<T>) {
      Vec<T> sums[Step] = {};
      for (int i = 0; i < count; ++i) meet(sources[i], m, sums);
      store_steps<Step>(to + m * Step, g.w.size - m * Step, sums);
    }
  }

  FASTDL_INLINE void meet(const Source& source, std::int64_t m, Vec<T>* sums) const {
#pragma GCC unroll 2
    for (int residue = 0; residue < Step; ++residue)
      for (int i = 0; i < columns.count(residue); ++i) {
        const TapColumn& column = columns(residue, i);
        const IntVec<T> here = load_bytes<T>(source.tap + m - column.shift, lanes<T>);
        const IntVec<T> mine = here == all_lanes<T>(source.first_tap + column.tap);
        sums[residue] += select(mine, load(source.grad + m - column.shift), Vec<T>{});
      }
  }

  /// Rows [begin, end) of one plane.
  void run(const T* grad_y, const Tap* numbers, std::int64_t begin, std::int64_t end, T* grad_x) const {
    std::int64_t p = 0, p_end = 0;  // the output rows [p, p_end) are in their slots
    const std::int64_t span = (g.h.kernel - 1) * g.h.dilation, Q = g.w.outputs;
    for (std::int64_t h = begin; h < end; ++h) {
      while (p < g.h.outputs && windows[p].origin + span < h) ++p;
      p_end = std::max(p_end, p);
      for (; p_end < g.h.outputs && windows[p_end].origin <= h; ++p_end) {
        std::copy_n(grad_y + p_end * Q, Q, grads[p_end % slots]);
        std::copy_n(numbers + p_end * Q, Q, taps[p_end % slots]);
      }
      row(h, p, p_end, grad_x + h * g.w.size);
    }
  }
};

template <class T, class Tap>
void max_pool_backward_rows(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  const TapColumns columns(g.w);
  const Windows windows(g.h);
  const auto with_step = [&](auto step) {
    for_input_rows(g, [&](std::int64_t plane, std::int64_t plane_end, std::int64_t begin, std::int64_t end) {
      const MaxRowsBackward<T, Tap, decltype(step)::value> work(g, columns, windows);
      for (; plane < plane_end; ++plane)
        work.run(grad_y + plane * g.output_plane(), taps + plane * g.output_plane(), begin, end,
                 grad_x + plane * g.input_plane());
    });
  };
  g.w.stride == 1 ? with_step(std::integral_constant<int, 1>()) : with_step(std::integral_constant<int, 2>());
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
