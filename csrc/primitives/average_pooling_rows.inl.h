// Average pooling where the lanes are neighbouring columns of a plane. A window's sum is separable: rows are
// added up first, then the columns of each window. Backward goes the other way.
#pragma once

#include "primitives/average_pooling_pixels.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
T sum_contiguous(const T* x, std::int64_t count) {
  constexpr std::int64_t width = lanes<T>;
  Vec<T> sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums[j] += load(x + i + j * width);
  for (; i + width <= count; i += width) sums[0] += load(x + i);
  if (i < count) sums[1] += load_partial(x + i, static_cast<int>(count - i));
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/// to[c] = the sum of `rows` rows' elements c, `row_step` apart, for c in [0, count).
template <class T>
void sum_rows(const T* x, std::int64_t row_step, std::int64_t rows, std::int64_t count, T* to) {
  std::int64_t c = 0;
  for (; c + lanes<T> <= count; c += lanes<T>) {
    Vec<T> sum{};
    for (std::int64_t r = 0; r < rows; ++r) {
      const T* from = x + c + r * row_step;
      prefetch_ahead(from);
      sum += load(from);
    }
    store(to + c, sum);
  }
  if (c == count) return;
  const int rest = static_cast<int>(count - c);
  Vec<T> sum = load_partial(x + c, rest);
  for (std::int64_t r = 1; r < rows; ++r) sum += load_partial(x + c + r * row_step, rest);
  store_partial(to + c, sum, rest);
}

template <class T>
void average_planes(const PoolingGeometry& g, const Divisors<T>& divisors, const T* x, T* y) {
  const T count = divisors.rows(0) * *divisors.columns(0);
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane)
      y[plane] = sum_contiguous(x + plane * g.input_plane(), g.input_plane()) / count;
  });
}

template <class T>
void average_planes_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                             T* grad_x) {
  const T count = divisors.rows(0) * *divisors.columns(0);
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane)
      std::fill_n(grad_x + plane * g.input_plane(), g.input_plane(), grad_y[plane] / count);
  });
}

/// `sums` are a row's sums of columns, zero beside it.
template <int Step, class T>
FASTDL_INLINE void average_columns(const PoolingGeometry& g, const Divisors<T>& divisors, T rows,
                                   const T* sums, T* y) {
  for (std::int64_t q = 0; q < g.w.outputs; q += lanes<T>) {
    const T* from = sums + q * Step - g.w.padding;
    Vec<T> sum{};
    for (std::int64_t s = 0; s < g.w.kernel; s += most_in_a_row) {
      Vec<T> part = load_steps<Step>(from + s);
      const std::int64_t end = std::min(g.w.kernel, s + most_in_a_row);
      for (std::int64_t i = s + 1; i < end; ++i) part += load_steps<Step>(from + i);
      sum += part;
    }
    sum /= load(divisors.columns(q)) * rows;
    const std::int64_t room = g.w.outputs - q;
    room >= lanes<T> ? store(y + q, sum) : store_partial(y + q, sum, static_cast<int>(room));
  }
}

template <class T>
void average_rows(const PoolingGeometry& g, const Divisors<T>& divisors, const T* x, T* y) {
  const Windows windows(g.h);
  const std::int64_t P = g.h.outputs, Q = g.w.outputs;
  const std::int64_t margin =
      g.w.padding + g.w.kernel + 2 * lanes<T> + std::max<std::int64_t>(0, Q * g.w.stride - g.w.size);
  for_output_rows(g, [&](std::int64_t begin, std::int64_t end) {
    const PaddedRows<T> sums(1, g.w.size, margin, T(0));
    for (std::int64_t row = begin; row < end; ++row) {
      const Window& window = windows[row % P];
      const T* from = x + row / P * g.input_plane() + (window.origin + window.first) * g.w.size;
      sum_rows(from, g.w.size, window.last - window.first, g.w.size, sums[0]);
      const T rows = divisors.rows(row % P);
      g.w.stride == 1 ? average_columns<1>(g, divisors, rows, sums[0], y + row * Q)
                      : average_columns<2>(g, divisors, rows, sums[0], y + row * Q);
    }
  });
}

/// Gradients of output rows over their divisors, and sums of them, both zero beside the row.
template <class T, int Step>
struct AverageRowsBackward {
  const PoolingGeometry& g;
  const Divisors<T>& divisors;
  const Windows& windows;
  std::int64_t slots;
  PaddedRows<T> shares;  // the last slot is for the sum

  AverageRowsBackward(const PoolingGeometry& geometry, const Divisors<T>& d, const Windows& rows)
      : g(geometry),
        divisors(d),
        windows(rows),
        slots((g.h.kernel - 1) / g.h.stride + 1),
        shares(slots + 1, g.w.outputs,
               2 * lanes<T> + g.w.kernel + g.w.padding +
                   std::max<std::int64_t>(0, g.w.size / Step - g.w.outputs),
               T(0)) {}

  void load_row(const T* grad_y, std::int64_t p) const {
    T* to = shares[p % slots];
    const T rows = divisors.rows(p);
    for (std::int64_t q = 0; q < g.w.outputs; q += lanes<T>) {
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, g.w.outputs - q));
      store_partial(to + q,
                    load_partial(grad_y + p * g.w.outputs + q, count) / (load(divisors.columns(q)) * rows),
                    count);
    }
  }

  /// The sum of the slots of output rows [p, p_end).
  const T* summed(std::int64_t p, std::int64_t p_end) const {
    if (p_end - p == 1) return shares[p % slots];
    T* to = shares[slots];
    std::fill_n(to, g.w.outputs, T(0));
    for (; p < p_end; ++p) {
      const T* from = shares[p % slots];
      // The lanes beyond the row are zero on both sides.
      for (std::int64_t q = 0; q < g.w.outputs; q += lanes<T>) store(to + q, load(to + q) + load(from + q));
    }
    return to;
  }

  /// Column m * Step + residue gets the shares of the outputs m - shift, for all shifts of the residue's
  /// taps.
  FASTDL_INLINE void row(const T* sums, T* to) const {
    for (std::int64_t m = 0; m * Step < g.w.size; m += lanes<T>) {
      Vec<T> v[Step] = {};
#pragma GCC unroll 2
      for (int residue = 0; residue < Step; ++residue)
        for (std::int64_t s = (g.w.padding + residue) % Step; s < g.w.kernel; s += Step)
          v[residue] += load(sums + m - (s - g.w.padding - residue) / Step);
      store_steps<Step>(to + m * Step, g.w.size - m * Step, v);
    }
  }

  /// Rows [begin, end) of one plane.
  void run(const T* grad_y, std::int64_t begin, std::int64_t end, T* grad_x) const {
    std::int64_t p = 0, p_end = 0;  // the output rows [p, p_end) are in their slots
    for (std::int64_t h = begin; h < end; ++h) {
      while (p < g.h.outputs && windows[p].origin + g.h.kernel <= h) ++p;
      p_end = std::max(p_end, p);
      for (; p_end < g.h.outputs && windows[p_end].origin <= h; ++p_end) load_row(grad_y, p_end);
      row(summed(p, p_end), grad_x + h * g.w.size);
    }
  }
};

template <class T>
void average_rows_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                           T* grad_x) {
  const Windows windows(g.h);
  const auto with_step = [&](auto step) {
    for_input_rows(g, [&](std::int64_t plane, std::int64_t plane_end, std::int64_t begin, std::int64_t end) {
      const AverageRowsBackward<T, decltype(step)::value> work(g, divisors, windows);
      for (; plane < plane_end; ++plane)
        work.run(grad_y + plane * g.output_plane(), begin, end, grad_x + plane * g.input_plane());
    });
  };
  g.w.stride == 1 ? with_step(std::integral_constant<int, 1>()) : with_step(std::integral_constant<int, 2>());
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
