// Softmax over the middle axis of an (N, C, inner) array, one row (n, i) at a time: shared by softmax,
// log_softmax and cross_entropy. With inner == 1 a row is contiguous and vectors run along the classes;
// otherwise vectors run across neighbouring rows.
#pragma once

#include <cmath>
#include <limits>

#include "core/simd_math.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// maximum m and log sum_c exp(x[c] - m) of one contiguous row.
template <class T>
void contiguous_row_statistics(const T* x, std::int64_t classes, T& maximum, T& log_sum) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  constexpr std::int64_t width = lanes<T>;
  const std::int64_t whole = classes / width * width;
  const int rest = static_cast<int>(classes - whole);
  Vec<T> top = broadcast<T>(lowest);
  for (std::int64_t c = 0; c < whole; c += width) top = max(top, load(x + c));
  if (rest) top = max(top, load_partial(x + whole, rest, lowest));
  const T m = reduce_max(top);
  Vec<T> sum{};
  for (std::int64_t c = 0; c < whole; c += width) sum += exp(load(x + c) - m);
  if (rest) sum += exp(load_partial(x + whole, rest, lowest) - m);
  maximum = m;
  log_sum = std::log(reduce_add(sum));
}

/// The same for `count` <= lanes neighbouring rows, `inner` apart from class to class.
template <class T>
void neighbouring_row_statistics(const T* x, std::int64_t classes, std::int64_t inner, int count, T* maximum,
                                 T* log_sum) {
  Vec<T> top = load_partial(x, count);
  for (std::int64_t c = 1; c < classes; ++c) top = max(top, load_partial(x + c * inner, count));
  Vec<T> sum{};
  for (std::int64_t c = 0; c < classes; ++c) sum += exp(load_partial(x + c * inner, count) - top);
  store_partial(maximum, top, count);
  store_partial(log_sum, log(sum), count);
}

/// maximum[row] and log_sum[row] for the rows [begin, end) of (N, C, inner).
template <class T>
void softmax_statistics(const T* x, std::int64_t classes, std::int64_t inner, std::int64_t begin,
                        std::int64_t end, T* maximum, T* log_sum) {
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t i = row % inner;
    const T* first = x + (row - i) * classes + i;
    if (inner == 1) {
      contiguous_row_statistics(first, classes, maximum[row], log_sum[row]);
      ++row;
      continue;
    }
    const int count = static_cast<int>(std::min<std::int64_t>({inner - i, end - row, lanes<T>}));
    neighbouring_row_statistics(first, classes, inner, count, maximum + row, log_sum + row);
    row += count;
  }
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
