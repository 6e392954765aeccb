// The largest element of each window and where it is: the first of equals, the last NaN where there are any.
#pragma once

#include <limits>
#include <utility>

#include "core/backend.h"
#include "primitives/pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
constexpr T lowest = -std::numeric_limits<T>::infinity();

/// Max pooling of one plane's output row p.
template <class T>
struct MaxRow {
  const PoolingGeometry& g;
  const T* plane;
  std::int64_t p, r_begin, r_end;

  MaxRow(const PoolingGeometry& geometry, const T* x, std::int64_t row)
      : g(geometry), plane(x), p(row), r_begin(g.h.first_tap(row)), r_end(g.h.last_tap(row)) {}

  /// Flat position in the plane of tap (r, 0) of a window whose first column is `column`.
  std::int64_t position(std::int64_t r, std::int64_t column) const {
    return (g.h.origin(p) + r * g.h.dilation) * g.w.size + column;
  }

  /// One output. A window without an element gives -infinity at -1.
  void one(std::int64_t q, T& y, std::int64_t* index) const {
    const std::int64_t column = g.w.origin(q), s_begin = g.w.first_tap(q), s_end = g.w.last_tap(q);
    T best = lowest<T>;
    std::int64_t where =
        r_begin < r_end && s_begin < s_end ? position(r_begin, column + s_begin * g.w.dilation) : -1;
    for (std::int64_t r = r_begin; r < r_end; ++r)
      for (std::int64_t s = s_begin; s < s_end; ++s) {
        const std::int64_t i = position(r, column + s * g.w.dilation);
        if (plane[i] > best || plane[i] != plane[i]) best = plane[i], where = i;
      }
    y = best;
    if (index) *index = where;
  }

  /// Whether lanes can count positions from a window's origin.
  bool fits() const {
    return (r_end * g.h.dilation + 1) * g.w.size <= std::numeric_limits<Lane<IntVec<T>>>::max();
  }

  /// One output, the lanes side by side in its window.
  void wide(std::int64_t q, T& y, std::int64_t* index) const {
    using Index = Lane<IntVec<T>>;
    const std::int64_t column = g.w.begin(q), row_step = g.h.dilation * g.w.size;
    std::int64_t width = g.w.end(q) - column, rows = r_end - r_begin;
    if (width == g.w.size && g.h.dilation == 1) width *= std::exchange(rows, 1);
    const std::int64_t first = position(r_begin, column);
    Vec<T> best = broadcast(lowest<T>);
    IntVec<T> where = lane_index<T>();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t s = 0; s < width; s += lanes<T>) {
        const T* from = plane + first + r * row_step + s;
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, width - s));
        const Vec<T> x = count == lanes<T> ? load(from) : load_partial(from, count, lowest<T>);
        const IntVec<T> better = (x > best) | isnan(x);
        best = select(better, x, best);
        where = select(better, lane_index<T>() + static_cast<Index>(r * row_step + s), where);
      }
    int chosen = 0;
    for (int i = 1; i < lanes<T>; ++i) {
      const bool nan = best[i] != best[i], chosen_nan = best[chosen] != best[chosen];
      const bool better =
          nan ? !chosen_nan || where[i] > where[chosen]
              : best[i] > best[chosen] || (best[i] == best[chosen] && where[i] < where[chosen]);
      if (better) chosen = i;
    }
    y = best[chosen];
    if (index) *index = first + static_cast<std::int64_t>(where[chosen]);
  }

  /// `count` <= lanes neighbouring outputs whose windows lie within the row's columns.
  template <int Step>
  void several(std::int64_t q, int count, T* y, std::int64_t* index) const {
    using Index = Lane<IntVec<T>>;
    const std::int64_t column = g.w.origin(q), row_step = g.h.dilation * g.w.size;
    Vec<T> best = broadcast(lowest<T>);
    IntVec<T> where = IntVec<T>{} + static_cast<Index>(r_begin * row_step);
    for (std::int64_t r = r_begin; r < r_end; ++r) {
      const T* row = plane + position(r, column);
      for (std::int64_t s = 0; s < g.w.kernel; ++s) {
        const Vec<T> x = load_strided<Step>(row + s * g.w.dilation, g.w.stride, count);
        const IntVec<T> better = (x > best) | isnan(x);
        best = select(better, x, best);
        if (index)
          where = select(better, IntVec<T>{} + static_cast<Index>(r * row_step + s * g.w.dilation), where);
      }
    }
    store_partial(y, best, count);
    if (!index) return;
    const std::int64_t first = position(0, column);
    for (int i = 0; i < count; ++i)
      index[i] = r_begin < r_end ? first + i * g.w.stride + static_cast<std::int64_t>(where[i]) : -1;
  }
};

/// y and, where not null, indices: flat positions in the plane.
template <class T>
void max_pool(const PoolingGeometry& g, const T* x, T* y, std::int64_t* indices) {
  const WholeWindows whole(g.w);
  const std::int64_t P = g.h.outputs, Q = g.w.outputs;
  with_step(g.w.stride, [&](auto step) {
    for_output_rows(g, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const MaxRow<T> windows(g, x + row / P * g.input_plane(), row % P);
        T* to = y + row * Q;
        std::int64_t* index = indices ? indices + row * Q : nullptr;
        const auto at = [&](std::int64_t q) { return index ? index + q : nullptr; };
        const auto single = [&](std::int64_t q) {
          const bool is_wide = g.w.dilation == 1 && g.w.end(q) - g.w.begin(q) >= lanes<T> && windows.fits() &&
                               windows.r_begin < windows.r_end;
          is_wide ? windows.wide(q, to[q], at(q)) : windows.one(q, to[q], at(q));
        };
        std::int64_t q = 0;
        if (g.w.kernel < lanes<T> && whole.begin < whole.end && windows.fits()) {
          for (; q < whole.begin; ++q) single(q);
          for (int count; q < whole.end; q += count) {
            count = static_cast<int>(std::min<std::int64_t>(lanes<T>, whole.end - q));
            windows.template several<decltype(step)::value>(q, count, to + q, at(q));
          }
        }
        for (; q < Q; ++q) single(q);
      }
    });
  });
}

/// Each plane of grad_x is zero but for the gradients of the outputs that were found there, added in order;
/// -1 found nothing. Other indices outside [0, H * W) are skipped, and the first of them is answered as
/// bad_index.
template <class T>
Status scatter_to_maxima(const PoolingGeometry& g, const T* grad_y, const std::int64_t* indices, T* grad_x) {
  const std::int64_t count = g.planes * g.output_plane();
  std::int64_t first_bad = count;
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t bad = count;
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* to = grad_x + plane * g.input_plane();
      std::fill_n(to, g.input_plane(), T(0));
      for (std::int64_t i = plane * g.output_plane(); i < (plane + 1) * g.output_plane(); ++i) {
        const std::int64_t index = indices[i];
        if (index >= 0 && index < g.input_plane()) {
          to[index] += grad_y[i];
        } else if (index != -1) {
          bad = std::min(bad, i);
        }
      }
    }
    std::int64_t seen = __atomic_load_n(&first_bad, __ATOMIC_RELAXED);
    while (bad < seen &&
           !__atomic_compare_exchange_n(&first_bad, &seen, bad, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
  });
  if (first_bad < count) return {Status::bad_index, first_bad, indices[first_bad]};
  return {};
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
