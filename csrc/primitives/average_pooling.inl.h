// The mean of each window. A window's sum is separable: rows are added up first, vectors along the columns,
// then the columns of each window. Backward goes the other way. Windows have no dilation.
#pragma once

#include "primitives/pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// What a window's sum is divided by: rows(p) of its rows count.
struct WindowDivisor {
  const PoolingGeometry& g;
  bool count_include_pad;
  std::int64_t divisor_override;  // 0: none

  std::int64_t rows(std::int64_t p) const {
    return count_include_pad ? g.h.padded_extent(p) : g.h.end(p) - g.h.begin(p);
  }
  std::int64_t operator()(std::int64_t counted_rows, std::int64_t q) const {
    if (divisor_override != 0) return divisor_override;
    return counted_rows * (count_include_pad ? g.w.padded_extent(q) : g.w.end(q) - g.w.begin(q));
  }
};

constexpr std::int64_t pooling_columns = 2048;  // of input, added up in a buffer that stays in L1

FASTDL_INLINE bool is_global(const PoolingGeometry& g) {
  const auto whole = [](const WindowAxis& axis) {
    return axis.outputs == 1 && axis.begin(0) == 0 && axis.end(0) == axis.size;
  };
  return whole(g.h) && whole(g.w);
}

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
    Vec<T> sum = load(x + c);
    for (std::int64_t r = 1; r < rows; ++r) sum += load(x + c + r * row_step);
    store(to + c, sum);
  }
  if (c == count) return;
  const int rest = static_cast<int>(count - c);
  Vec<T> sum = load_partial(x + c, rest);
  for (std::int64_t r = 1; r < rows; ++r) sum += load_partial(x + c + r * row_step, rest);
  store_partial(to + c, sum, rest);
}

/// One output row of one plane.
template <class T>
struct AverageRow {
  const PoolingGeometry& g;
  const WindowDivisor& divisor;
  const WholeWindows& whole;
  const T* rows;  // the first row of the windows
  std::int64_t row_count, divisor_rows;

  AverageRow(const WindowDivisor& d, const WholeWindows& w, const T* plane, std::int64_t row)
      : g(d.g),
        divisor(d),
        whole(w),
        rows(plane + g.h.begin(row) * g.w.size),
        row_count(g.h.end(row) - g.h.begin(row)),
        divisor_rows(d.rows(row)) {}

  /// A window that no buffer holds.
  T wide(std::int64_t q, T* buffer) const {
    T sum = 0;
    for (std::int64_t c = g.w.begin(q); c < g.w.end(q); c += pooling_columns) {
      const std::int64_t count = std::min(pooling_columns, g.w.end(q) - c);
      sum_rows(rows + c, g.w.size, row_count, count, buffer);
      sum += sum_contiguous(buffer, count);
    }
    return sum / static_cast<T>(divisor(divisor_rows, q));
  }

  /// Outputs [q, end) from the columns' sums, of which buffer[0] is column `first`.
  template <int Step>
  void columns(std::int64_t q, std::int64_t end, const T* buffer, std::int64_t first, T* y) const {
    const auto one = [&] {
      const std::int64_t last = g.w.end(q) - first;
      T sum = 0;
      for (std::int64_t c = g.w.begin(q) - first; c < last; ++c) sum += buffer[c];
      y[q] = sum / static_cast<T>(divisor(divisor_rows, q));
      ++q;
    };
    while (q < std::min(end, whole.begin)) one();
    const std::int64_t whole_end = std::min(end, whole.end);
    while (q < whole_end) {
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, whole_end - q));
      const T* from = buffer + g.w.origin(q) - first;
      Vec<T> sum = load_strided<Step>(from, g.w.stride, count);
      for (std::int64_t s = 1; s < g.w.kernel; ++s) sum += load_strided<Step>(from + s, g.w.stride, count);
      store_partial(y + q, sum / static_cast<T>(divisor(divisor_rows, q)), count);
      q += count;
    }
    while (q < end) one();
  }
};

template <class T>
void average_globally(const WindowDivisor& divisor, const T* x, T* y) {
  const PoolingGeometry& g = divisor.g;
  const T count = static_cast<T>(divisor(divisor.rows(0), 0));
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane)
      y[plane] = sum_contiguous(x + plane * g.input_plane(), g.input_plane()) / count;
  });
}

/// Calls tile(begin, end) over runs of output columns whose windows cover at most pooling_columns columns, or
/// over single ones.
template <class Tile>
FASTDL_INLINE void for_column_tiles(const WindowAxis& axis, Tile&& tile) {
  for (std::int64_t q = 0, end; q < axis.outputs; q = end) {
    const std::int64_t limit = axis.begin(q) + pooling_columns;
    end = q + 1;
    if (axis.end(axis.outputs - 1) <= limit) {
      end = axis.outputs;
    } else {
      while (end < axis.outputs && axis.end(end) <= limit) ++end;
    }
    tile(q, end);
  }
}

template <class T>
void average_pool(const WindowDivisor& divisor, const T* x, T* y) {
  const PoolingGeometry& g = divisor.g;
  if (is_global(g)) return average_globally(divisor, x, y);
  const WholeWindows whole(g.w);
  const std::int64_t P = g.h.outputs, Q = g.w.outputs;
  with_step(g.w.stride, [&](auto step) {
    for_output_rows(g, [&](std::int64_t begin, std::int64_t end) {
      T buffer[pooling_columns];
      for (std::int64_t row = begin; row < end; ++row) {
        const AverageRow<T> windows(divisor, whole, x + row / P * g.input_plane(), row % P);
        for_column_tiles(g.w, [&](std::int64_t q, std::int64_t q_end) {
          const std::int64_t first = g.w.begin(q), count = g.w.end(q_end - 1) - first;
          if (count > pooling_columns) {
            y[row * Q + q] = windows.wide(q, buffer);
            return;
          }
          sum_rows(windows.rows + first, g.w.size, windows.row_count, count, buffer);
          windows.template columns<decltype(step)::value>(q, q_end, buffer, first, y + row * Q);
        });
      }
    });
  });
}

/// to[c - first] = the sum over the windows of row p that hold column c of gradient / divisor, for c in
/// [first, last).
template <class T>
void spread_row(const WindowDivisor& divisor, std::int64_t p, const T* grad_y, std::int64_t first,
                std::int64_t last, T* to) {
  const WindowAxis& w = divisor.g.w;
  const std::int64_t divisor_rows = divisor.rows(p);
  std::fill_n(to, last - first, T(0));
  for (std::int64_t q = w.first_window(first); q < w.outputs; ++q) {
    const std::int64_t begin = w.begin(q), end = std::min(last, w.end(q));
    if (begin >= last) break;
    const T share = grad_y[q] / static_cast<T>(divisor(divisor_rows, q));
    for (std::int64_t c = std::max(first, begin); c < end; ++c) to[c - first] += share;
  }
}

template <class T>
void add_row(const T* row, std::int64_t count, T* to) {
  std::int64_t c = 0;
  for (; c + lanes<T> <= count; c += lanes<T>) store(to + c, load(to + c) + load(row + c));
  if (c < count) {
    const int rest = static_cast<int>(count - c);
    store_partial(to + c, load_partial(to + c, rest) + load_partial(row + c, rest), rest);
  }
}

/// Rows [h_begin, h_end) of one plane of grad_x.
template <class T>
void average_backward_rows(const WindowDivisor& divisor, const T* grad_y, std::int64_t h_begin,
                           std::int64_t h_end, T* grad_x) {
  const PoolingGeometry& g = divisor.g;
  T buffer[pooling_columns];
  std::fill_n(grad_x + h_begin * g.w.size, (h_end - h_begin) * g.w.size, T(0));
  for (std::int64_t p = g.h.first_window(h_begin); p < g.h.outputs && g.h.begin(p) < h_end; ++p) {
    const std::int64_t begin = std::max(h_begin, g.h.begin(p)), end = std::min(h_end, g.h.end(p));
    for (std::int64_t first = 0; first < g.w.size; first += pooling_columns) {
      const std::int64_t last = std::min(g.w.size, first + pooling_columns);
      spread_row(divisor, p, grad_y + p * g.w.outputs, first, last, buffer);
      for (std::int64_t h = begin; h < end; ++h) add_row(buffer, last - first, grad_x + h * g.w.size + first);
    }
  }
}

template <class T>
void average_pool_backward(const WindowDivisor& divisor, const T* grad_y, T* grad_x) {
  const PoolingGeometry& g = divisor.g;
  const std::int64_t rows =
      std::max<std::int64_t>(1, pooling_chunk / g.w.size);  // of a large plane, to a chunk
  if (g.h.size <= rows || is_global(g)) {
    for_planes(g, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t plane = begin; plane < end; ++plane) {
        T* to = grad_x + plane * g.input_plane();
        if (is_global(g)) {
          std::fill_n(to, g.input_plane(), grad_y[plane] / static_cast<T>(divisor(divisor.rows(0), 0)));
        } else {
          average_backward_rows(divisor, grad_y + plane * g.output_plane(), 0, g.h.size, to);
        }
      }
    });
    return;
  }
  const std::int64_t blocks = (g.h.size + rows - 1) / rows;
  parallel_for(g.planes * blocks, [&](std::int64_t chunk) {
    const std::int64_t plane = chunk / blocks, h = chunk % blocks * rows;
    average_backward_rows(divisor, grad_y + plane * g.output_plane(), h, std::min(g.h.size, h + rows),
                          grad_x + plane * g.input_plane());
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
