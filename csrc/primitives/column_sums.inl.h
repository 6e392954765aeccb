// Sums of a matrix's columns, in an order that its shape alone fixes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// How (rows, columns) is cut for the threads; each cut of rows has its own partial sums.
struct ColumnSumPlan {
  std::int64_t rows_per_chunk, row_chunks, columns_per_chunk, column_chunks;
};

FASTDL_INLINE ColumnSumPlan plan_column_sums(std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t chunk_elements = 1 << 15, most_columns = 1024;
  ColumnSumPlan plan;
  plan.columns_per_chunk = std::clamp<std::int64_t>(columns, 1, most_columns);
  plan.column_chunks = (columns + plan.columns_per_chunk - 1) / plan.columns_per_chunk;
  plan.rows_per_chunk = chunk_elements / plan.columns_per_chunk;
  plan.row_chunks = std::max<std::int64_t>(1, (rows + plan.rows_per_chunk - 1) / plan.rows_per_chunk);
  return plan;
}

/// Workspace of column_sums, in bytes.
template <class T>
FASTDL_INLINE std::size_t column_sums_workspace_bytes(std::int64_t rows, std::int64_t columns) {
  const std::int64_t partials = plan_column_sums(rows, columns).row_chunks * columns;
  return static_cast<std::size_t>(partials) * sizeof(T);
}

/// sums[j] = sum over `rows` rows of x[row * columns + j], for `count` columns.
template <class T>
void add_up_rows(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t count, T* sums) {
  constexpr int width = lanes<T>;
  for (std::int64_t j = 0; j < count; j += 4 * width) {
    if (count - j >= 4 * width) {
      Vec<T> total[4] = {};
      for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) total[v] += load(x + row * columns + j + v * width);
      }
      for (int v = 0; v < 4; ++v) store(sums + j + v * width, total[v]);
      continue;
    }
    for (std::int64_t at = j; at < count; at += width) {
      const int lanes_left = static_cast<int>(std::min<std::int64_t>(width, count - at));
      Vec<T> total{};
      for (std::int64_t row = 0; row < rows; ++row) total += load_partial(x + row * columns + at, lanes_left);
      store_partial(sums + at, total, lanes_left);
    }
  }
}

/// sums[j] = sum of column j of the C-contiguous x (rows, columns). `workspace`: column_sums_workspace_bytes.
template <class T>
void column_sums(std::int64_t rows, std::int64_t columns, const T* x, T* sums, void* workspace) {
  const ColumnSumPlan plan = plan_column_sums(rows, columns);
  T* partial = static_cast<T*>(workspace);
  parallel_for(plan.row_chunks * plan.column_chunks, [&](std::int64_t chunk) {
    const std::int64_t part = chunk / plan.column_chunks, row = part * plan.rows_per_chunk;
    const std::int64_t column = chunk % plan.column_chunks * plan.columns_per_chunk;
    add_up_rows(x + row * columns + column, std::min(plan.rows_per_chunk, rows - row), columns,
                std::min(plan.columns_per_chunk, columns - column), partial + part * columns + column);
  });
  for (std::int64_t j = 0; j < columns; ++j) {
    double total = 0;
    for (std::int64_t part = 0; part < plan.row_chunks; ++part) total += partial[part * columns + j];
    sums[j] = static_cast<T>(total);
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
