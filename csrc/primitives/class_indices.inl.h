// Class indices of rows: checked, and weighed, before anything is written.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"
#include "primitives/class_targets.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Rows that one chunk of the check takes: few enough sums for the workspace, and rows enough to be worth a
/// thread.
constexpr std::int64_t rows_per_check = 16384;

FASTDL_INLINE std::int64_t index_checks(std::int64_t rows) {
  return (rows + rows_per_check - 1) / rows_per_check;
}

/// What a chunk of the check found.
struct IndexCheck {
  double weight;  ///< of its rows that count
  bool bad;
};

/// check_class_indices, and in `weight` the sum of class_weight (null: ones) over the rows that count.
/// `checks` has room for index_checks(rows).
template <class T>
Status check_and_weigh(const std::int64_t* indices, std::int64_t rows, std::int64_t classes,
                       std::int64_t ignore_index, const T* class_weight, IndexCheck* checks, double& weight) {
  const auto limit = static_cast<std::uint64_t>(classes);
  parallel_for(index_checks(rows), [&](std::int64_t chunk) {
    const std::int64_t* const begin = indices + chunk * rows_per_check;
    const std::int64_t* const end = indices + std::min(rows, (chunk + 1) * rows_per_check);
    bool bad = false;
    std::int64_t counted = 0;
    for (const std::int64_t* index = begin; index != end; ++index) {
      const bool counts = *index != ignore_index;
      bad |= counts && static_cast<std::uint64_t>(*index) >= limit;
      counted += counts;
    }
    double sum = static_cast<double>(counted);
    if (class_weight && !bad) {
      sum = 0;
      for (const std::int64_t* index = begin; index != end; ++index)
        if (*index != ignore_index) sum += class_weight[*index];
    }
    checks[chunk] = {sum, bad};
  });
  weight = 0;
  for (std::int64_t chunk = 0; chunk < index_checks(rows); ++chunk) {
    if (checks[chunk].bad) return check_class_indices(indices, rows, classes, ignore_index);
    weight += checks[chunk].weight;
  }
  return {};
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
