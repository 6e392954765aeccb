// What recurrent layers share: a product with a matrix that stays the same over all time steps, packed once,
// whose result goes straight into the arithmetic of a step.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/macros.h"
#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// The first `count` <= lanes elements, the other lanes zero.
template <class T>
FASTDL_INLINE Vec<T> load_up_to(const T* p, int count) {
  return count == lanes<T> ? load(p) : load_partial(p, count);
}

template <class T>
FASTDL_INLINE void store_up_to(T* p, Vec<T> v, int count) {
  if (count == lanes<T>)
    store(p, v);
  else
    store_partial(p, v, count);
}

/// Rows of the register tile beside `Vectors` vectors of columns: the accumulators, and either a row of the
/// matrix and one broadcast, or a broadcast for each row and one vector of the matrix, fill the registers.
#if FASTDL_VECTOR_BYTES == 64 || defined(__aarch64__)
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif
template <int Vectors>
inline constexpr int step_rows =
    std::max((vector_registers - 1) / (Vectors + 1), (vector_registers - 1 - Vectors) / Vectors);

/// A matrix (depth x columns) in panels of `Vectors` vectors of columns, depth-major.
template <class T, int Vectors>
struct StepMatrix {
  static constexpr int width = Vectors * lanes<T>;

  std::int64_t depth, panels;
  T* elements;

  T* panel(std::int64_t p) const { return elements + p * depth * width; }
  static std::int64_t size(std::int64_t depth, std::int64_t panels) { return depth * panels * width; }
};

/// `count` columns that make one vector of a panel: element(k, j) is source[k * row_stride + j *
/// column_stride].
template <class T>
struct StepColumns {
  const T* source;
  int count;  // at most lanes; the other lanes become zeros
};

/// Packs matrix; columns_at(panel, vector) says where a vector's columns come from.
template <class T, int Vectors, class ColumnsAt>
void pack_step_matrix(const StepMatrix<T, Vectors>& matrix, std::int64_t row_stride,
                      std::int64_t column_stride, const ColumnsAt& columns_at) {
  constexpr std::int64_t block = 64;  // rows at a time: what is read and what is written stay in the cache
  parallel_for(matrix.panels, [&](std::int64_t panel) {
    for (std::int64_t k = 0; k < matrix.depth; k += block) {
      const std::int64_t rows = std::min(block, matrix.depth - k);
      for (int v = 0; v < Vectors; ++v) {
        const StepColumns<T> columns = columns_at(panel, v);
        const T* from = columns.source + k * row_stride;
        T* to = matrix.panel(panel) + k * matrix.width + v * lanes<T>;
        for (int j = 0; j < lanes<T>; ++j)
          for (std::int64_t i = 0; i < rows; ++i)
            to[i * matrix.width + j] = j < columns.count ? from[i * row_stride + j * column_stride] : T(0);
      }
    }
  });
}

/// sums (Rows x Vectors vectors) = Rows rows of a (depth each, a_stride apart) times `depth` rows of a panel,
/// added to what sums holds where `accumulate`.
template <int Rows, int Vectors, class T>
__attribute__((noinline)) void multiply_rows(std::int64_t depth, const T* a, std::int64_t a_stride,
                                             const T* panel, bool accumulate, T* sums) {
  // Few accumulators would wait for one another: the depth is then shared out among several sets of them.
  constexpr int sets = std::max(1, 8 / (Rows * Vectors));
  constexpr int width = Vectors * lanes<T>;
  Vec<T> partial[sets][Rows][Vectors] = {};
  const auto add_row = [&](Vec<T>(&into)[Rows][Vectors], std::int64_t k) __attribute__((always_inline)) {
    const T* row = panel + k * width;
    if constexpr (Rows < Vectors) {
      T scalars[Rows];
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) scalars[i] = a[i * a_stride + k];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) {
        const Vec<T> vector = load(row + j * lanes<T>);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) into[i][j] += scalars[i] * vector;
      }
    } else {
      Vec<T> vectors[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) vectors[j] = load(row + j * lanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j) into[i][j] += a[i * a_stride + k] * vectors[j];
      }
    }
  };
  if (accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) partial[0][i][j] = load(sums + i * width + j * lanes<T>);
  }
  std::int64_t k = 0;
  for (; k + sets <= depth; k += sets) {
#pragma GCC unroll 8
    for (int set = 0; set < sets; ++set) add_row(partial[set], k + set);
  }
  for (; k < depth; ++k) add_row(partial[0], k);
#pragma GCC unroll 8
  for (int set = 1; set < sets; ++set)
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) partial[0][i][j] += partial[set][i][j];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) store(sums + i * width + j * lanes<T>, partial[0][i][j]);
}

/// multiply_rows for `rows` <= Rows.
template <int Rows, int Vectors, class T>
FASTDL_INLINE void multiply_up_to(int rows, std::int64_t depth, const T* a, std::int64_t a_stride,
                                  const T* panel, bool accumulate, T* sums) {
  if (rows == Rows)
    multiply_rows<Rows, Vectors>(depth, a, a_stride, panel, accumulate, sums);
  else if constexpr (Rows > 1)
    multiply_up_to<Rows - 1, Vectors>(rows, depth, a, a_stride, panel, accumulate, sums);
}

/// How a step is cut into chunks for the threads: by shape alone, about `chunk_work` multiplications each.
struct StepPlan {
  std::int64_t panels_per_chunk, panel_chunks, rows_per_chunk, row_chunks;
};

template <class T, int Vectors>
StepPlan plan_step(std::int64_t rows, const StepMatrix<T, Vectors>& matrix) {
  constexpr std::int64_t chunk_work = 1 << 18;
  const std::int64_t panel_work = std::max<std::int64_t>(1, rows * matrix.depth * matrix.width);
  StepPlan plan;
  plan.panels_per_chunk = std::clamp<std::int64_t>(chunk_work / panel_work, 1, matrix.panels);
  plan.panel_chunks = (matrix.panels + plan.panels_per_chunk - 1) / plan.panels_per_chunk;
  const std::int64_t shares = std::max<std::int64_t>(1, panel_work / chunk_work);
  const std::int64_t tiles = (rows + step_rows<Vectors> - 1) / step_rows<Vectors>;
  plan.rows_per_chunk = std::max<std::int64_t>(1, (tiles + shares - 1) / shares) * step_rows<Vectors>;
  plan.row_chunks = (rows + plan.rows_per_chunk - 1) / plan.rows_per_chunk;
  return plan;
}

/// Rows whose sums are kept at a time, and how much of the depth a panel goes through them: a block of a
/// panel and of the rows stays in the first-level cache.
template <int Vectors>
inline constexpr int step_group = 48 / step_rows<Vectors> * step_rows<Vectors>;
inline constexpr std::int64_t step_depth = 256;

/// sums = `rows` <= step_group rows of a times panel `p`.
template <class T, int Vectors>
void multiply_group(std::int64_t rows, const T* a, std::int64_t a_stride,
                    const StepMatrix<T, Vectors>& matrix, std::int64_t p, T* sums) {
  for (std::int64_t k = 0; k < matrix.depth; k += step_depth) {
    const std::int64_t depth = std::min(step_depth, matrix.depth - k);
    const T* block = matrix.panel(p) + k * matrix.width;
    for (std::int64_t row = 0; row < rows; row += step_rows<Vectors>) {
      const int count = static_cast<int>(std::min<std::int64_t>(step_rows<Vectors>, rows - row));
      multiply_up_to<step_rows<Vectors>, Vectors>(count, depth, a + row * a_stride + k, a_stride, block,
                                                  k > 0, sums + row * matrix.width);
    }
  }
}

/// For every row of a (rows, a_stride apart) and every panel: finish(row, panel, sums), where sums holds the
/// row's product with the panel's columns. A null `a` stands for zeros.
template <class T, int Vectors, class Finish>
void recurrent_step(std::int64_t rows, const T* a, std::int64_t a_stride,
                    const StepMatrix<T, Vectors>& matrix, const Finish& finish) {
  constexpr int width = StepMatrix<T, Vectors>::width, group = step_group<Vectors>;
  const StepPlan plan = plan_step(rows, matrix);
  parallel_for(plan.panel_chunks * plan.row_chunks, [&](std::int64_t chunk) {
    alignas(64) T sums[group * width] = {};
    const std::int64_t first_panel = chunk % plan.panel_chunks * plan.panels_per_chunk;
    const std::int64_t first_row = chunk / plan.panel_chunks * plan.rows_per_chunk;
    const std::int64_t last_panel = std::min(matrix.panels, first_panel + plan.panels_per_chunk);
    const std::int64_t last_row = std::min(rows, first_row + plan.rows_per_chunk);
    for (std::int64_t panel = first_panel; panel < last_panel; ++panel) {
      for (std::int64_t row = first_row; row < last_row; row += group) {
        const std::int64_t count = std::min<std::int64_t>(group, last_row - row);
        if (a) multiply_group(count, a + row * a_stride, a_stride, matrix, panel, sums);
        for (std::int64_t i = 0; i < count; ++i) finish(row + i, panel, sums + i * width);
      }
    }
  });
}

/// c (rows x columns, c_stride apart) += a (rows x depth, a_stride apart) times the transpose of `weight`
/// (columns x depth), as dot products of what is there: for too few rows to repay packing the weight.
template <class T>
void add_dot_products(std::int64_t rows, std::int64_t columns, std::int64_t depth, const T* a,
                      std::int64_t a_stride, const T* weight, T* c, std::int64_t c_stride) {
  constexpr std::int64_t chunk_work = 1 << 16;
  constexpr int together = 8;  // dot products that share a load of a
  const std::int64_t step =
      (chunk_work / std::max<std::int64_t>(1, rows * depth) + together - 1) / together * together + together;
  parallel_for((columns + step - 1) / step, [&](std::int64_t chunk) {
    for (std::int64_t j = chunk * step; j < std::min(columns, (chunk + 1) * step); j += together) {
      const T* w[together];  // beyond the last column: the last one again, its sum not used
      for (int i = 0; i < together; ++i) w[i] = weight + std::min(j + i, columns - 1) * depth;
      for (std::int64_t row = 0; row < rows; ++row) {
        const T* x = a + row * a_stride;
        Vec<T> sums[together] = {};
        std::int64_t k = 0;
        for (; k + lanes<T> <= depth; k += lanes<T>) {
          const Vec<T> part = load(x + k);
#pragma GCC unroll 8
          for (int i = 0; i < together; ++i) sums[i] += part * load(w[i] + k);
        }
        if (const int rest = static_cast<int>(depth - k)) {
          const Vec<T> part = load_partial(x + k, rest);
#pragma GCC unroll 8
          for (int i = 0; i < together; ++i) sums[i] += part * load_partial(w[i] + k, rest);
        }
        for (int i = 0; i < std::min<std::int64_t>(together, columns - j); ++i)
          c[row * c_stride + j + i] += reduce_add(sums[i]);
      }
    }
  });
}

/// sums[j] = the sum of column j of `rows` (count x columns), in blocks, which keeps the rounding error low.
template <class T>
void sum_rows(const T* rows, std::int64_t count, std::int64_t columns, T* sums) {
  constexpr int vectors = 4;
  constexpr std::int64_t width = vectors * lanes<T>, block = 64;
  parallel_for((columns + width - 1) / width, [&](std::int64_t chunk) {
    Vec<T> total[vectors] = {};
    const std::int64_t begin = chunk * width;
    const auto in_vector = [&](int v) {
      return static_cast<int>(std::clamp<std::int64_t>(columns - begin - v * lanes<T>, 0, lanes<T>));
    };
    for (std::int64_t first = 0; first < count; first += block) {
      Vec<T> sum[vectors] = {};
      for (std::int64_t row = first; row < std::min(count, first + block); ++row)
        for (int v = 0; v < vectors; ++v)
          sum[v] += load_up_to(rows + row * columns + begin + v * lanes<T>, in_vector(v));
      for (int v = 0; v < vectors; ++v) total[v] += sum[v];
    }
    for (int v = 0; v < vectors; ++v) store_up_to(sums + begin + v * lanes<T>, total[v], in_vector(v));
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
