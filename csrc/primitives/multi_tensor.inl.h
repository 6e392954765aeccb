// Work on a list of tensors in one call: what the optimisers' steps share.
#pragma once

#include <algorithm>

#include "core/thread_pool.h"
#include "primitives/multi_tensor.h"
#include "primitives/vector_loop.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Calls body(tensor, begin, end) for ranges of elements that make up all the tensors. The list is cut as if
/// it were one array: many small tensors share a chunk, a large one is spread over several.
template <class Tensor, class Body>
void for_each_range(const Tensor* tensors, std::int64_t count, const Body& body) {
  constexpr std::int64_t elements_per_chunk = 16384;
  if (count == 0) return;
  const Tensor* const stop = tensors + count;
  const std::int64_t total = stop[-1].begin + stop[-1].size;
  parallel_for((total + elements_per_chunk - 1) / elements_per_chunk, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * elements_per_chunk, end = std::min(total, begin + elements_per_chunk);
    const auto after = [](std::int64_t element, const Tensor& tensor) { return element < tensor.begin; };
    const Tensor* tensor = std::upper_bound(tensors, stop, begin, after) - 1;
    for (; tensor != stop && tensor->begin < end; ++tensor) {
      const std::int64_t first = std::max(begin - tensor->begin, std::int64_t{0});
      const std::int64_t last = std::min(end - tensor->begin, tensor->size);
      if (first < last) body(*tensor, first, last);
    }
  });
}

/// a + weight (b - a), exactly b at weight 1.
template <class T>
FASTDL_INLINE Vec<T> lerp(Vec<T> a, Vec<T> b, T weight) {
  const Vec<T> difference = b - a;
  return weight < T(0.5) ? fma(broadcast<T>(weight), difference, a)
                         : fma(broadcast<T>(weight - T(1)), difference, b);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
