// Softmax over the middle axis of an (N, C, inner) array, one row (n, i) at a time: shared by softmax,
// log_softmax and cross_entropy. With inner == 1 a row is contiguous and vectors run along the classes;
// otherwise vectors run across neighbouring rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/simd_math.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Rows that the functions on neighbouring rows take at most: several cache lines of each class.
template <class T>
constexpr int row_block = 8 * lanes<T>;

/// The first n > 0 elements, in the n first lanes.
template <class T>
FASTDL_INLINE Vec<T> load_first(const T* p, int n, std::type_identity_t<T> fill = 0) {
  return n == lanes<T> ? load(p) : load_partial(p, n, fill);
}

template <class T>
FASTDL_INLINE void store_first(T* p, Vec<T> v, int n) {
  n == lanes<T> ? store(p, v) : store_partial(p, v, n);
}

/// body(i, n) for the vectors of [0, count): n lanes from i on.
template <class T, class Body>
FASTDL_INLINE void for_vectors(std::int64_t count, Body&& body) {
  std::int64_t i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) body(i, lanes<T>);
  if (i < count) body(i, static_cast<int>(count - i));
}

/// Visits the rows [begin, end) of (N, C, inner): one(row, offset) each where they are contiguous, else
/// many(row, offset, count) for up to row_block neighbours at a time. offset is where class 0 of (the first)
/// row is.
template <class T, class One, class Many>
FASTDL_INLINE void for_rows(std::int64_t classes, std::int64_t inner, std::int64_t begin, std::int64_t end,
                            One&& one, Many&& many) {
  if (inner == 1) {
    for (std::int64_t row = begin; row < end; ++row) one(row, row * classes);
    return;
  }
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t i = row % inner;
    const int count = static_cast<int>(std::min<std::int64_t>({inner - i, end - row, row_block<T>}));
    many(row, (row - i) * classes + i, count);
    row += count;
  }
}

/// The maximum of a contiguous row. A NaN may be passed over.
template <class T>
FASTDL_INLINE T row_maximum(const T* x, std::int64_t classes) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  Vec<T> top = broadcast<T>(lowest);
  for_vectors<T>(classes, [&](std::int64_t c, int n) { top = max(top, load_first(x + c, n, lowest)); });
  return reduce_max(top);
}

/// The same for `count` neighbouring rows, whose classes are `inner` apart.
template <class T>
FASTDL_INLINE void row_maxima(const T* x, std::int64_t classes, std::int64_t inner, int count, T* maximum) {
  for_vectors<T>(count, [&](std::int64_t i, int n) { store_first(maximum + i, load_first(x + i, n), n); });
  for (std::int64_t c = 1; c < classes; ++c) {
    const T* row = x + c * inner;
    for_vectors<T>(count, [&](std::int64_t i, int n) {
      store_first(maximum + i, max(load_first(maximum + i, n), load_first(row + i, n)), n);
    });
  }
}

/// maximum m and log sum_c exp(x[c] - m) of one contiguous row. exp(x[c] - m) is NaN for some c wherever the
/// maximum is of no use: with a NaN or +infinity, and where all are -infinity.
template <class T>
void contiguous_row_statistics(const T* x, std::int64_t classes, T& maximum, T& log_sum) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const T m = row_maximum(x, classes);
  Vec<T> sum{};
  for_vectors<T>(classes, [&](std::int64_t c, int n) { sum += exp(load_first(x + c, n, lowest) - m); });
  maximum = m;
  log_sum = std::log(reduce_add(sum));
}

/// The same for `count` neighbouring rows.
template <class T>
void neighbouring_row_statistics(const T* x, std::int64_t classes, std::int64_t inner, int count, T* maximum,
                                 T* log_sum) {
  row_maxima(x, classes, inner, count, maximum);
  std::fill_n(log_sum, count, T(0));
  for (std::int64_t c = 0; c < classes; ++c) {
    const T* row = x + c * inner;
    for_vectors<T>(count, [&](std::int64_t i, int n) {
      const Vec<T> e = exp(load_first(row + i, n) - load_first(maximum + i, n));
      store_first(log_sum + i, load_first(log_sum + i, n) + e, n);
    });
  }
  for_vectors<T>(
      count, [&](std::int64_t i, int n) { store_first(log_sum + i, log(load_first(log_sum + i, n)), n); });
}

/// maximum[row] and log_sum[row] for the rows [begin, end) of (N, C, inner).
template <class T>
void softmax_statistics(const T* x, std::int64_t classes, std::int64_t inner, std::int64_t begin,
                        std::int64_t end, T* maximum, T* log_sum) {
  for_rows<T>(
      classes, inner, begin, end,
      [&](std::int64_t row, std::int64_t offset) {
        contiguous_row_statistics(x + offset, classes, maximum[row], log_sum[row]);
      },
      [&](std::int64_t row, std::int64_t offset, int count) {
        neighbouring_row_statistics(x + offset, classes, inner, count, maximum + row, log_sum + row);
      });
}

/// y[c] = scale * softmax(x)[c] of one row, from its statistics.
template <class T>
void scaled_softmax_row(const T* x, std::int64_t classes, std::int64_t inner, T maximum, T log_sum, T scale,
                        T* y) {
  constexpr std::int64_t width = lanes<T>;
  if (inner == 1) {
    std::int64_t c = 0;
    for (; c + width <= classes; c += width) store(y + c, scale * exp(load(x + c) - maximum - log_sum));
    const int rest = static_cast<int>(classes - c);
    if (rest) store_partial(y + c, scale * exp(load_partial(x + c, rest) - maximum - log_sum), rest);
    return;
  }
  for (std::int64_t c = 0; c < classes; c += width) {
    T gathered[lanes<T>] = {};
    const std::int64_t count = std::min(width, classes - c);
    for (std::int64_t j = 0; j < count; ++j) gathered[j] = x[(c + j) * inner];
    store(gathered, scale * exp(load(gathered) - maximum - log_sum));
    for (std::int64_t j = 0; j < count; ++j) y[(c + j) * inner] = gathered[j];
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
