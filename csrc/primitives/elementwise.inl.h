// One formula applied to every element of arrays that are blocks of memory.
#pragma once

#include <algorithm>

#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Elements that a chunk of an elementwise op takes: a matter of nothing but the op, so that bits do not
/// depend on threads. A multiple of every vector's lanes.
constexpr std::int64_t elements_per_chunk = 32768;

/// out[i] = formula(in[i]...) on vectors; out may be one of the inputs.
template <class T, class Formula, class... In>
void elementwise(std::int64_t count, T* out, const Formula& formula, const In*... in) {
  constexpr std::int64_t width = lanes<T>;
  parallel_for((count + elements_per_chunk - 1) / elements_per_chunk, [&](std::int64_t chunk) {
    std::int64_t i = chunk * elements_per_chunk;
    const std::int64_t end = std::min(count, i + elements_per_chunk);
    for (; i + width <= end; i += width) store(out + i, formula(load(in + i)...));
    const int rest = static_cast<int>(end - i);
    if (rest > 0) store_partial(out + i, formula(load_partial(in + i, rest)...), rest);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
