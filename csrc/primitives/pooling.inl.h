// What the pooling loops share: how the work is cut, and vectors of every second or every n-th element.
#pragma once

#include <algorithm>

#include "core/simd.h"
#include "core/thread_pool.h"
#include "primitives/pooling.h"

namespace fastdl::FASTDL_ISA {
namespace {

constexpr std::int64_t pooling_chunk = 32768;  // elements read by a chunk of work

/// Calls rows(begin, end) over parts of the planes * P output rows, cut by shape alone.
template <class Rows>
FASTDL_INLINE void for_output_rows(const PoolingGeometry& g, Rows&& rows) {
  const std::int64_t count = g.planes * g.h.outputs;
  if (count == 0 || g.w.outputs == 0) return;
  const std::int64_t row_cost = std::max<std::int64_t>(1, g.input_plane() / g.h.outputs);
  const std::int64_t step = std::max<std::int64_t>(1, pooling_chunk / row_cost);
  parallel_for((count + step - 1) / step,
               [&](std::int64_t chunk) { rows(chunk * step, std::min(count, (chunk + 1) * step)); });
}

/// Calls planes(begin, end) over parts of the planes, cut by shape alone.
template <class Planes>
FASTDL_INLINE void for_planes(const PoolingGeometry& g, Planes&& planes) {
  const std::int64_t step =
      std::max<std::int64_t>(1, pooling_chunk / std::max<std::int64_t>(1, g.input_plane()));
  parallel_for((g.planes + step - 1) / step,
               [&](std::int64_t chunk) { planes(chunk * step, std::min(g.planes, (chunk + 1) * step)); });
}

template <class T, std::size_t... I>
FASTDL_INLINE Vec<T> even_then_odd(Vec<T> low, Vec<T> high, std::index_sequence<I...>) {
  constexpr int half = lanes<T> / 2;
#if defined(__clang__)
  return __builtin_shufflevector(low, high, (static_cast<int>(I) < half ? 2 * I : 2 * I + 1)...);
#else
  using Index = Lane<IntVec<T>>;
  return __builtin_shuffle(low, high,
                           IntVec<T>{static_cast<Index>(static_cast<int>(I) < half ? 2 * I : 2 * I + 1)...});
#endif
}

/// p[0], p[step], p[2 step], …; touches nothing beyond the last of them. `step` is `Step` unless that is 0.
template <int Step, class T>
FASTDL_INLINE Vec<T> load_strided(const T* p, std::int64_t step) {
  if constexpr (Step == 1) {
    return load(p);
  } else if constexpr (Step == 2) {
    // The second vector starts one early, so that it ends with the last element wanted.
    return even_then_odd<T>(load(p), load(p + lanes<T> - 1), std::make_index_sequence<lanes<T>>{});
  } else {
    Vec<T> v{};
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i) v[i] = p[i * step];
    return v;
  }
}

/// The same for the first `count` lanes.
template <int Step, class T>
FASTDL_INLINE Vec<T> load_strided(const T* p, std::int64_t step, int count) {
  if (count == lanes<T>) return load_strided<Step>(p, step);
  if constexpr (Step == 1) return load_partial(p, count);
  T elements[lanes<T>] = {};
  for (int i = 0; i < count; ++i) elements[i] = p[i * step];
  return load(elements);
}

/// Calls body(std::integral_constant<int, Step>) with the Step for load_strided.
template <class Body>
FASTDL_INLINE void with_step(std::int64_t step, Body&& body) {
  if (step == 1) {
    body(std::integral_constant<int, 1>());
  } else if (step == 2) {
    body(std::integral_constant<int, 2>());
  } else {
    body(std::integral_constant<int, 0>());
  }
}

/// The outputs [begin, end) whose windows lie within the axis: none where windows are adaptive.
struct WholeWindows {
  std::int64_t begin, end;

  explicit WholeWindows(const WindowAxis& axis) : begin(0), end(0) {
    if (axis.adaptive()) return;
    const std::int64_t last_origin = axis.size - 1 - (axis.kernel - 1) * axis.dilation;
    begin = std::min(axis.outputs, (axis.padding + axis.stride - 1) / axis.stride);
    end = last_origin + axis.padding < 0
              ? 0
              : std::min(axis.outputs, (last_origin + axis.padding) / axis.stride + 1);
    end = std::max(begin, end);
  }
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
