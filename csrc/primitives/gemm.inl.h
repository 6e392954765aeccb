// Blocked matrix product C = A B (+ C). A is packed once into panels of `tile_rows` rows, B block by block
// into panels of `tile_columns` columns; one register tile of C is the inner loop. Work is split by shape
// alone and every element of C is summed over k in one fixed order, so the bits do not depend on the number
// of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

// The register tile: rows x vectors accumulators leave room for one row of B and a broadcast of A in 32
// (AVX-512, NEON) or 16 vector registers.
inline constexpr int tile_vectors = 2;
#if FASTDL_VECTOR_BYTES == 64
inline constexpr int tile_rows = 14;
#elif FASTDL_VECTOR_BYTES == 32
inline constexpr int tile_rows = 6;
#elif defined(__aarch64__)
inline constexpr int tile_rows = 12;
#else
inline constexpr int tile_rows = 5;
#endif
template <class T>
inline constexpr int tile_columns = tile_vectors * lanes<T>;

/// Rows of B packed at a time, and panels of them: 64 KiB at most, which stays in the second-level cache and
/// on the stack.
inline constexpr int block_depth = 256;
template <class T>
inline constexpr int block_columns =
    65536 / (block_depth * static_cast<int>(sizeof(T))) / tile_columns<T> * tile_columns<T>;
static_assert(block_columns<float> >= tile_columns<float> && block_columns<double> >= tile_columns<double>);

FASTDL_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

template <class T>
struct Tile {
  alignas(64) T values[tile_rows][tile_columns<T>];
};

/// tile = A panel (depth x tile_rows) times B panel (depth x tile_columns), both packed depth-major.
template <class T>
__attribute__((noinline)) void multiply_panels(std::int64_t depth, const T* a, const T* b, Tile<T>& tile) {
  Vec<T> sums[tile_rows][tile_vectors] = {};
  for (std::int64_t k = 0; k < depth; ++k, a += tile_rows, b += tile_columns<T>) {
    Vec<T> row[tile_vectors];
#pragma GCC unroll 4
    for (int j = 0; j < tile_vectors; ++j) row[j] = load(b + j * lanes<T>);
#pragma GCC unroll 16
    for (int i = 0; i < tile_rows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < tile_vectors; ++j) sums[i][j] += a[i] * row[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < tile_rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < tile_vectors; ++j) store(&tile.values[i][j * lanes<T>], sums[i][j]);
  }
}

/// A matrix by strides, so that a transpose costs nothing.
template <class T>
struct Matrix {
  const T* elements;
  std::int64_t row_stride, column_stride;
  const T& operator()(std::int64_t row, std::int64_t column) const {
    return elements[row * row_stride + column * column_stride];
  }
};

/// Elements of A packed whole: its rows rounded up to full panels.
FASTDL_INLINE std::int64_t packed_size(std::int64_t rows, std::int64_t depth) {
  return ceil_div(rows, tile_rows) * tile_rows * depth;
}

/// Packs panel `panel` of A: element(row, k) for its rows, zeros beyond `rows`. Panels lie one after another.
template <class T, class Element>
void pack_a_panel(std::int64_t panel, std::int64_t rows, std::int64_t depth, const Element& element,
                  T* packed) {
  T* to = packed + panel * tile_rows * depth;
  for (std::int64_t k = 0; k < depth; ++k) {
    for (int i = 0; i < tile_rows; ++i) {
      const std::int64_t row = panel * tile_rows + i;
      *to++ = row < rows ? element(row, k) : T(0);
    }
  }
}

template <class T, class Element>
void pack_a(std::int64_t rows, std::int64_t depth, const Element& element, T* packed) {
  parallel_for(ceil_div(rows, tile_rows),
               [&](std::int64_t panel) { pack_a_panel(panel, rows, depth, element, packed); });
}

/// Adds one tile to C, or stores it where `first` (plus bias[row], when there is one). c[i * row_stride +
/// offset(j)].
template <class T, class Column>
FASTDL_INLINE void write_tile(const Tile<T>& tile, int rows, int columns, bool first, const T* bias, T* c,
                              std::int64_t row_stride, const Column& column_offset) {
  for (int i = 0; i < rows; ++i) {
    T* row = c + i * row_stride;
    if constexpr (Column::contiguous) {
      row += column_offset(0);
      if (columns == tile_columns<T>) {
        for (int j = 0; j < tile_columns<T>; j += lanes<T>) {
          const Vec<T> sum = load(&tile.values[i][j]);
          store(row + j, first ? (bias ? sum + bias[i] : sum) : load(row + j) + sum);
        }
        continue;
      }
      for (int j = 0; j < columns; ++j)
        row[j] =
            first ? (bias ? tile.values[i][j] + bias[i] : tile.values[i][j]) : row[j] + tile.values[i][j];
    } else {
      for (int j = 0; j < columns; ++j) {
        T& to = row[column_offset(j)];
        to = first ? (bias ? tile.values[i][j] + bias[i] : tile.values[i][j]) : to + tile.values[i][j];
      }
    }
  }
}

/// Columns of C that lie side by side, from `begin`.
struct ContiguousColumns {
  static constexpr bool contiguous = true;
  std::int64_t begin;
  std::int64_t operator()(std::int64_t j) const { return begin + j; }
};

/// One block of a product: rows of A [row_begin, row_end) (whole panels of packed A but for the last),
/// columns [column_begin, column_end) of B. pack_b(to, k, depth, column, columns) writes a panel of B,
/// depth-major and tile_columns wide; columns beyond `columns` may hold anything finite. columns_at(column)
/// gives the offsets in C of the panel that starts there. `accumulate` adds to what C holds; otherwise C
/// starts from bias (per row, may be null).
template <class T, class PackB, class ColumnsAt>
void multiply_block(const T* packed_a, std::int64_t row_begin, std::int64_t row_end,
                    std::int64_t column_begin, std::int64_t column_end, std::int64_t depth,
                    const PackB& pack_b, T* c, std::int64_t c_row_stride, const ColumnsAt& columns_at,
                    const T* bias, bool accumulate) {
  alignas(64) T packed_b[block_depth * block_columns<T>];
  Tile<T> tile;
  for (std::int64_t column = column_begin; column < column_end; column += block_columns<T>) {
    const std::int64_t block_end = std::min<std::int64_t>(column_end, column + block_columns<T>);
    std::int64_t k = 0;
    do {  // once even for depth 0: C must be written
      const std::int64_t panel_depth = std::min<std::int64_t>(block_depth, depth - k);
      for (std::int64_t j = column; panel_depth > 0 && j < block_end; j += tile_columns<T>)
        pack_b(packed_b + (j - column) * block_depth, k, panel_depth, j,
               static_cast<int>(std::min<std::int64_t>(tile_columns<T>, block_end - j)));
      for (std::int64_t i = row_begin; i < row_end; i += tile_rows) {
        const T* a = packed_a + i * depth + k * tile_rows;
        const int rows = static_cast<int>(std::min<std::int64_t>(tile_rows, row_end - i));
        for (std::int64_t j = column; j < block_end; j += tile_columns<T>) {
          const int columns = static_cast<int>(std::min<std::int64_t>(tile_columns<T>, block_end - j));
          multiply_panels(panel_depth, a, packed_b + (j - column) * block_depth, tile);
          write_tile(tile, rows, columns, k == 0 && !accumulate, bias ? bias + i : nullptr,
                     c + i * c_row_stride, c_row_stride, columns_at(j));
        }
      }
      k += panel_depth;
    } while (k < depth);
  }
}

/// How a product's columns and rows are cut into chunks for the threads: by shape alone, about `chunk_work`
/// multiplications each.
struct BlockPlan {
  std::int64_t columns_per_chunk, column_chunks, rows_per_chunk, row_chunks;
  std::int64_t chunks() const { return column_chunks * row_chunks; }
};

template <class T>
FASTDL_INLINE BlockPlan plan_blocks(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  constexpr std::int64_t chunk_work = 1 << 20;
  constexpr std::int64_t wanted_chunks = 8;
  BlockPlan plan;
  const std::int64_t column_work = std::max<std::int64_t>(1, rows * depth);
  const std::int64_t blocks = ceil_div(columns, block_columns<T>);
  const std::int64_t blocks_per_chunk = std::clamp<std::int64_t>(
      chunk_work / (column_work * block_columns<T>), 1, std::max<std::int64_t>(1, blocks));
  plan.columns_per_chunk = blocks_per_chunk * block_columns<T>;
  plan.column_chunks = ceil_div(columns, plan.columns_per_chunk);
  // Few columns: share the rows out too, at the price of packing B once more for each share.
  std::int64_t row_chunks = 1;
  if (plan.column_chunks < wanted_chunks && column_work * columns > 2 * chunk_work)
    row_chunks = std::min(ceil_div(wanted_chunks, std::max<std::int64_t>(1, plan.column_chunks)),
                          ceil_div(rows, 4 * tile_rows));
  plan.rows_per_chunk =
      std::max<std::int64_t>(1, ceil_div(ceil_div(rows, row_chunks), tile_rows)) * tile_rows;
  plan.row_chunks = ceil_div(rows, plan.rows_per_chunk);
  return plan;
}

/// Packs one panel of a strided B.
template <class T>
void pack_strided_b(const Matrix<T>& b, T* to, std::int64_t k, std::int64_t depth, std::int64_t column,
                    int columns) {
  for (std::int64_t d = 0; d < depth; ++d, to += tile_columns<T>) {
    const T* row = &b(k + d, column);
    if (b.column_stride == 1 && columns == tile_columns<T>) {
      for (int j = 0; j < tile_columns<T>; j += lanes<T>) store(to + j, load(row + j));
      continue;
    }
    for (int j = 0; j < columns; ++j) to[j] = row[j * b.column_stride];
    for (int j = columns; j < tile_columns<T>; ++j) to[j] = T(0);
  }
}

/// Workspace of gemm, in bytes.
template <class T>
FASTDL_INLINE std::size_t gemm_workspace_bytes(std::int64_t rows, std::int64_t depth) {
  return static_cast<std::size_t>(packed_size(rows, depth)) * sizeof(T);
}

/// C (rows x columns, row stride c_row_stride, columns side by side) = A B + column_bias, or C += A B where
/// `accumulate`. `column_bias` (columns) may be null and does not go with `accumulate`. `workspace`:
/// gemm_workspace_bytes.
template <class T>
void gemm(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix<T>& a, const Matrix<T>& b,
          const T* column_bias, bool accumulate, T* c, std::int64_t c_row_stride, void* workspace) {
  T* packed_a = static_cast<T*>(workspace);
  pack_a(rows, depth, a, packed_a);
  const BlockPlan plan = plan_blocks<T>(rows, columns, depth);
  const auto pack_b = [&](T* to, std::int64_t k, std::int64_t panel_depth, std::int64_t column, int count) {
    pack_strided_b(b, to, k, panel_depth, column, count);
  };
  parallel_for(plan.chunks(), [&](std::int64_t chunk) {
    const std::int64_t column = chunk % plan.column_chunks * plan.columns_per_chunk;
    const std::int64_t row = chunk / plan.column_chunks * plan.rows_per_chunk;
    const std::int64_t column_end = std::min(columns, column + plan.columns_per_chunk);
    const std::int64_t row_end = std::min(rows, row + plan.rows_per_chunk);
    if (column_bias)
      for (std::int64_t i = row; i < row_end; ++i)
        for (std::int64_t j = column; j < column_end; ++j) c[i * c_row_stride + j] = column_bias[j];
    multiply_block(
        packed_a, row, row_end, column, column_end, depth, pack_b, c, c_row_stride,
        [](std::int64_t j) { return ContiguousColumns{j}; }, static_cast<const T*>(nullptr),
        accumulate || column_bias != nullptr);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
