// Average pooling where the lanes are neighbouring columns of a plane. A window's sum is separable: rows are
// added up first, then the columns of each window. Backward goes the other way.
#pragma once

#include "primitives/average_pooling_pixels.inl.h"
#include "primitives/pooling_rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// A vector whose lanes add up to the sum of `count` elements.
template <class T>
FASTDL_INLINE Vec<T> sum_lanes(const T* x, std::int64_t count) {
  constexpr std::int64_t width = lanes<T>;
  Vec<T> sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums[j] += load(x + i + j * width);
  for (; i + width <= count; i += width) sums[0] += load(x + i);
  if (i < count) sums[1] += load_partial(x + i, static_cast<int>(count - i));
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
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

/// The same for `Whole` vectors and `rest` elements.
template <int Whole, class T>
FASTDL_INLINE Vec<T> sum_lanes(const T* x, int rest) {
  Vec<T> sum{}, last = Vec<T>{} + load_partial(x + Whole * lanes<T>, rest);
#pragma GCC unroll 4
  for (int i = 0; i < Whole; ++i) sum += load(x + i * lanes<T>);
  return sum + last;
}

/// y[i] = the mean of plane i, for a vector of planes.
template <class T>
FASTDL_INLINE void average_each(const T* x, std::int64_t size, T count, T* y) {
  constexpr std::int64_t width = lanes<T>;
  Vec<T> sums[width];
  const auto each = [&](const auto& sum) {
#pragma GCC unroll 16
    for (std::int64_t i = 0; i < width; ++i) sums[i] = sum(x + i * size);
  };
  if (size / width == 3) {  // 7 x 7 in vectors of 16
    const int rest = static_cast<int>(size % width);
    each([&](const T* plane) { return sum_lanes<3>(plane, rest); });
  } else {
    each([&](const T* plane) { return sum_lanes(plane, size); });
  }
  store(y, reduce_add_each(sums) / count);
}

template <class T>
void average_planes(const PoolingGeometry& g, const Divisors<T>& divisors, const T* x, T* y) {
  constexpr std::int64_t width = lanes<T>;
  const T count = divisors.rows(0) * *divisors.columns(0);
  const std::int64_t size = g.input_plane();
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (; begin + width <= end; begin += width) average_each(x + begin * size, size, count, y + begin);
    for (; begin < end; ++begin) y[begin] = reduce_add(sum_lanes(x + begin * size, size)) / count;
  });
}

template <class T>
void average_planes_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                             T* grad_x) {
  const T count = divisors.rows(0) * *divisors.columns(0);
  const std::int64_t size = g.input_plane();
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane)
      fill_row(broadcast(grad_y[plane] / count), size, grad_x + plane * size);
  });
}

/// Output row of windows that are pairs of columns, of the rows [0, rows) from x on.
template <class T>
FASTDL_INLINE void average_pairs(const PoolingGeometry& g, const WholeWindows& whole,
                                 const Divisors<T>& divisors, T divisor, const T* x, std::int64_t rows, T* y,
                                 bool streamed) {
  constexpr int width = lanes<T>;
  for_output_blocks<T>(g.w, whole, [&](std::int64_t q, int count, bool inside) {
    const T* from = x + 2 * q;
    Vec<T> low{}, high{};
    if (inside) {
      for (std::int64_t r = 0; r < rows; ++r, from += g.w.size) {
        prefetch_ahead<2>(from);
        low += load(from), high += load(from + width);
      }
    } else {
      const auto room = [&](std::int64_t column) {
        return static_cast<int>(std::clamp<std::int64_t>(g.w.size - column, 0, width));
      };
      const int lows = room(2 * q), highs = room(2 * q + width);
      for (std::int64_t r = 0; r < rows; ++r, from += g.w.size)
        low += load_partial(from, lows), high += load_partial(from + width, highs);
    }
    const Two<Vec<T>> pairs = deinterleave(low, high);
    const Vec<T> mean = (pairs.first + pairs.second) / (load(divisors.columns(q)) * divisor);
    count == width ? store_whole(y + q, mean, streamed) : store_partial(y + q, mean, count);
  });
}

/// The same of windows three columns wide, the first of which is padding: the sums of columns stay in
/// registers.
template <int Step, class T>
FASTDL_INLINE void average_threes(const PoolingGeometry& g, const Divisors<T>& divisors, T divisor,
                                  const T* x, std::int64_t rows, T* y) {
  constexpr std::int64_t width = lanes<T>;
  const std::int64_t W = g.w.size, Q = g.w.outputs;
  const auto sums = [&](std::int64_t column) {
    Vec<T> sum{};
    const T* from = x + column;
    if (column + width <= W) {
      for (std::int64_t r = 0; r < rows; ++r, from += W) {
        prefetch_ahead(from);
        sum += load(from);
      }
    } else if (column < W) {
      for (std::int64_t r = 0; r < rows; ++r, from += W)
        sum += load_partial(from, static_cast<int>(W - column));
    }
    return sum;
  };
  Vec<T> previous{}, current = Step == 1 ? sums(0) : Vec<T>{};
  for (std::int64_t q = 0; q < Q; q += width) {
    Vec<T> sum;
    if constexpr (Step == 1) {
      const Vec<T> next = sums(q + width);
      sum = (shift_up(current, previous) + current) + shift_down(current, next);
      previous = current, current = next;
    } else {
      const Two<Vec<T>> pairs = deinterleave(sums(2 * q), sums(2 * q + width));
      sum = (shift_up(pairs.second, previous) + pairs.first) + pairs.second;
      previous = pairs.second;
    }
    store_up_to(y + q, sum / (load(divisors.columns(q)) * divisor),
                static_cast<int>(std::min<std::int64_t>(width, Q - q)));
  }
}

/// `sums` are a row's sums of columns, zero beside it.
template <int Step, class T>
FASTDL_INLINE void average_columns(const PoolingGeometry& g, const Divisors<T>& divisors, T rows,
                                   const T* sums, T* y) {
  for (std::int64_t q = 0; q < g.w.outputs; q += lanes<T>) {
    const T* from = sums + q * Step - g.w.padding;
    Vec<T> sum = load_steps<Step>(from);
    for (std::int64_t i = 1; i < g.w.kernel; ++i) sum += load_steps<Step>(from + i);
    const std::int64_t room = g.w.outputs - q;
    store_up_to(y + q, sum / (load(divisors.columns(q)) * rows),
                static_cast<int>(std::min<std::int64_t>(lanes<T>, room)));
  }
}

template <class T>
void average_rows(const PoolingGeometry& g, const Divisors<T>& divisors, const T* x, T* y) {
  const Windows windows(g.h);
  const WholeWindows whole(g.w);
  const std::int64_t Q = g.w.outputs;
  const bool streamed = is_streamed(g, y, Q);
  const bool pairs = g.w.kernel == 2 && g.w.stride == 2 && g.w.padding == 0;
  const bool threes = g.w.kernel == 3 && g.w.padding == 1;
  const std::int64_t margin =
      g.w.padding + g.w.kernel + 2 * lanes<T> + std::max<std::int64_t>(0, Q * g.w.stride - g.w.size);
  for_output_rows(g, [&](std::int64_t plane, std::int64_t begin, std::int64_t end) {
    const T* in = x + plane * g.input_plane();
    T* out = y + plane * g.output_plane();
    const auto first_row = [&](std::int64_t p) {
      return in + (windows[p].origin + windows[p].first) * g.w.size;
    };
    const auto row_count = [&](std::int64_t p) { return windows[p].last - windows[p].first; };
    if (pairs) {
      for (; begin < end; ++begin)
        average_pairs(g, whole, divisors, divisors.rows(begin), first_row(begin), row_count(begin),
                      out + begin * Q, streamed);
      if (streamed) streaming_fence();
      return;
    }
    if (threes) {
      for (; begin < end; ++begin)
        g.w.stride == 1 ? average_threes<1>(g, divisors, divisors.rows(begin), first_row(begin),
                                            row_count(begin), out + begin * Q)
                        : average_threes<2>(g, divisors, divisors.rows(begin), first_row(begin),
                                            row_count(begin), out + begin * Q);
      return;
    }
    const PaddedRows<T> sums(rows_at_a_time, g.w.size, margin, T(0));
    for (; begin < end; begin += rows_at_a_time) {
      const std::int64_t stop = std::min(end, begin + rows_at_a_time);
      for (std::int64_t p = begin; p < stop; ++p)
        sum_rows(first_row(p), g.w.size, row_count(p), g.w.size, sums[p - begin]);
      for (std::int64_t p = begin; p < stop; ++p)
        g.w.stride == 1 ? average_columns<1>(g, divisors, divisors.rows(p), sums[p - begin], out + p * Q)
                        : average_columns<2>(g, divisors, divisors.rows(p), sums[p - begin], out + p * Q);
    }
  });
}

/// Where windows are pairs of columns that tile the image.
template <class T>
void average_pairs_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                            T* grad_x) {
  const T rows = divisors.rows(0);  // of any row
  for_pairs_backward(g, grad_x, [&](std::int64_t output, std::int64_t q, int count) {
    const Vec<T> share = load_up_to(grad_y + output, count) / (load(divisors.columns(q)) * rows);
    return [=](std::int64_t, Vec<T>* v) { v[0] = v[1] = share; };
  });
}

/// Gradients of output rows over their divisors, and sums of them, both zero beside the row.
template <class T, int Step>
struct AverageRowsBackward {
  const PoolingGeometry& g;
  const Divisors<T>& divisors;
  const Windows& windows;
  PaddedRows<T> shares, sums;

  AverageRowsBackward(const PoolingGeometry& geometry, const Divisors<T>& d, const Windows& rows)
      : g(geometry),
        divisors(d),
        windows(rows),
        shares((rows_at_a_time + g.h.kernel - 2) / g.h.stride + 2, g.w.outputs, margin(), T(0)),
        sums(rows_at_a_time, g.w.outputs, margin(), T(0)) {}

  std::int64_t margin() const {
    return 2 * lanes<T> + g.w.kernel + g.w.padding + std::max<std::int64_t>(0, g.w.size / Step - g.w.outputs);
  }

  FASTDL_INLINE void load_row(const T* grad_y, std::int64_t p, T* to) const {
    const T rows = divisors.rows(p);
    for (std::int64_t q = 0; q < g.w.outputs; q += lanes<T>) {
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, g.w.outputs - q));
      store_up_to(to + q,
                  load_up_to(grad_y + p * g.w.outputs + q, count) / (load(divisors.columns(q)) * rows),
                  count);
    }
  }

  /// The sum of the shares of output rows [p, p_end), which are `from` and after it; into `to` if it must.
  FASTDL_INLINE const T* summed(std::int64_t count, const T* from, T* to) const {
    if (count == 1) return from;
    const std::int64_t pitch = shares.pitch();
    // The lanes beyond the row are zero.
    for (std::int64_t q = 0; q < g.w.outputs; q += lanes<T>) {
      Vec<T> sum{};
      for (std::int64_t i = 0; i < count; ++i) sum += load(from + i * pitch + q);
      store(to + q, sum);
    }
    return to;
  }

  /// Column m * Step + residue gets the shares of the outputs m - shift, for all shifts of the residue's
  /// taps.
  template <int Parity>
  FASTDL_INLINE void row(const T* from, T* to, bool streamed) const {
    from += g.w.padding / Step;
    for (std::int64_t m = 0; m * Step < g.w.size; m += lanes<T>) {
      Vec<T> v[Step] = {};
#pragma GCC unroll 2
      for (int residue = 0; residue < Step; ++residue)
        for (std::int64_t s = (Parity + residue) % Step; s < g.w.kernel; s += Step)
          v[residue] += load(from + m - (s - Parity - residue) / Step);
      store_steps<Step>(to + m * Step, g.w.size - m * Step, v, streamed);
    }
  }

  /// Rows [begin, end) of one plane.
  void run(const T* grad_y, std::int64_t begin, std::int64_t end, T* grad_x, bool streamed) const {
    const std::int64_t W = g.w.size;
    std::int64_t p = 0, p_end = 0;  // the output rows [p, p_end) meet row h
    for (; begin < end; begin += rows_at_a_time) {
      const std::int64_t stop = std::min(end, begin + rows_at_a_time);
      while (p < g.h.outputs && windows[p].origin + g.h.kernel <= begin) ++p;
      const std::int64_t first = p;
      for (std::int64_t i = first; i < g.h.outputs && windows[i].origin < stop; ++i)
        load_row(grad_y, i, shares[i - first]);
      const T* from[rows_at_a_time];
      for (std::int64_t h = begin; h < stop; ++h) {
        while (p < g.h.outputs && windows[p].origin + g.h.kernel <= h) ++p;
        p_end = std::max(p_end, p);
        while (p_end < g.h.outputs && windows[p_end].origin <= h) ++p_end;
        from[h - begin] = summed(p_end - p, shares[p - first], sums[h - begin]);
      }
      for (std::int64_t h = begin; h < stop; ++h)
        g.w.padding % Step == 0 ? row<0>(from[h - begin], grad_x + h * W, streamed)
                                : row<1>(from[h - begin], grad_x + h * W, streamed);
    }
  }
};

template <class T>
void average_rows_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                           T* grad_x) {
  if (g.w.stride == 2 && windows_tile(g)) return average_pairs_backward(g, divisors, grad_y, grad_x);
  const Windows windows(g.h);
  const bool streamed = is_streamed(g, grad_x, g.w.size);
  const auto with_step = [&](auto step) {
    for_input_rows(g, [&](std::int64_t plane, std::int64_t plane_end, std::int64_t begin, std::int64_t end) {
      const AverageRowsBackward<T, decltype(step)::value> work(g, divisors, windows);
      for (; plane < plane_end; ++plane)
        work.run(grad_y + plane * g.output_plane(), begin, end, grad_x + plane * g.input_plane(), streamed);
      if (streamed) streaming_fence();
    });
  };
  g.w.stride == 1 ? with_step(std::integral_constant<int, 1>()) : with_step(std::integral_constant<int, 2>());
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
