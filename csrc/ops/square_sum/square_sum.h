#pragma once

#include "core/backend.h"
#include "primitives/multi_tensor.h"

namespace fastdl {

struct SquareSumTensor : ListedTensor {
  const void* values;
};

struct SquareSumKernels {
  /// total = sum of the squares of all elements of all tensors, in double: those of float32 may be beyond its
  /// range. The workspace holds a double for each of square_sum_chunks().
  Status (*run)(const Launch&, const SquareSumTensor* tensors, std::int64_t count, double* total);
};

/// Elements that share a partial sum: a constant, so that the bits do not depend on threads.
constexpr std::int64_t square_sum_elements = 16384;

/// Partial sums for so many elements.
std::int64_t square_sum_chunks(std::int64_t elements);

}  // namespace fastdl
