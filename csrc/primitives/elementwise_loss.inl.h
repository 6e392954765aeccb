// What the losses that are a formula per element share: blocks, sums, and the gradient that arrives.
#pragma once

#include <algorithm>

#include "core/backend.h"
#include "core/thread_pool.h"
#include "primitives/elementwise_loss.h"
#include "primitives/vector_loop.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class Block>
void for_each_loss_block(std::int64_t count, const Block& block) {
  parallel_for((count + loss_chunk - 1) / loss_chunk, [&](std::int64_t chunk) {
    const std::int64_t stop = std::min(count, (chunk + 1) * loss_chunk);
    for (std::int64_t begin = chunk * loss_chunk; begin < stop; begin += loss_block)
      block(chunk, begin, std::min(stop, begin + loss_block));
  });
}

/// block(begin, end, each) prepares what its elements need and calls each(formula); formula(vector, i) gives
/// the losses that a vector of for_each_vector has at i.
template <class T, class Block>
void elementwise_loss(const Launch& launch, const ElementwiseLossParams& params, T* loss,
                      const Block& block) {
  auto* partial = static_cast<double*>(launch.workspace);
  const std::int64_t chunks = (params.count + loss_chunk - 1) / loss_chunk;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) partial[chunk] = 0;
  for_each_loss_block(params.count, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
    Vec<T> sum{};
    block(begin, end, [&](const auto& formula) {
      for_each_vector<T>(begin, end, [&](auto vector, std::int64_t i) {
        const Vec<T> value = formula(vector, i);
        if (params.reduction == Reduction::none) {
          vector.store(loss + i, value);
        } else {
          sum += vector.or_zero(value);
        }
      });
    });
    partial[chunk] += reduce_add(sum);
  });
  if (params.reduction == Reduction::none) return;
  double total = 0;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) total += partial[chunk];
  *loss =
      static_cast<T>(params.reduction == Reduction::mean ? total / static_cast<double>(params.count) : total);
}

/// As above; formula(vector, i, g) stores gradients, with g that of the losses at i.
template <class T, class Block>
void elementwise_loss_backward(const ElementwiseLossParams& params, const T* grad_loss, const Block& block) {
  const bool all = params.reduction == Reduction::none;
  const double divisor = params.reduction == Reduction::mean ? static_cast<double>(params.count) : 1.0;
  const Vec<T> common = broadcast(all ? T(0) : static_cast<T>(*grad_loss / divisor));
  for_each_loss_block(params.count, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    block(begin, end, [&](const auto& formula) {
      for_each_vector<T>(begin, end, [&](auto vector, std::int64_t i) {
        formula(vector, i, all ? vector.load(grad_loss + i) : common);
      });
    });
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
