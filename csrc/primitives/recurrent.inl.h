// What recurrent layers share: products with a matrix that stays the same over all time steps, whose results
// go straight into the arithmetic of a step. A layer runs all its steps in one parallel_steps: the same
// thread has the same columns of the matrix in every step, and finds them in its own caches.
//
// An element of a product is summed in an order that follows from the shapes alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/macros.h"
#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

#if FASTDL_VECTOR_BYTES == 64 || defined(__aarch64__)
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif

/// Rows of the register tile beside `Vectors` vectors of columns: the accumulators, and either a row of the
/// matrix and one broadcast, or a broadcast for each row and one vector of the matrix, fill the registers.
template <int Vectors>
inline constexpr int step_rows =
    std::max((vector_registers - 1) / (Vectors + 1), (vector_registers - 1 - Vectors) / Vectors);

/// What the products of T are summed in: pairs of bfloat16 are 32 bits wide (core/simd_bf16.h).
template <class T>
using StepSum = std::conditional_t<std::is_same_v<T, std::uint32_t>, float, T>;

/// Elements of a cache line.
template <class T>
inline constexpr int line = 64 / static_cast<int>(sizeof(T));

struct StepRange {
  std::int64_t begin, end;
};

/// Part `index` of [0, size) cut into `parts` that differ by one at most.
FASTDL_INLINE StepRange part_of(std::int64_t size, std::int64_t parts, std::int64_t index) {
  return {size * index / parts, size * (index + 1) / parts};
}

/// How a step is cut into chunks for the threads, by shape alone: panels of columns first, then rows.
struct StepPlan {
  std::int64_t rows, panels, row_parts, panel_parts;

  std::int64_t chunks() const { return row_parts * panel_parts; }
  StepRange panels_of(std::int64_t chunk) const { return part_of(panels, panel_parts, chunk / row_parts); }
  StepRange rows_of(std::int64_t chunk) const { return part_of(rows, row_parts, chunk % row_parts); }
  /// Whether a chunk is the one among those of its panels that does what is to be done once for a panel.
  bool first_of_panels(std::int64_t chunk) const { return chunk % row_parts == 0; }
};

/// For `panel_work` multiplications in each of a row's panels, and register tiles of `tile_rows` rows.
FASTDL_INLINE StepPlan plan_step(std::int64_t rows, std::int64_t panels, std::int64_t panel_work,
                                 int tile_rows) {
  constexpr std::int64_t least_step = 1 << 16;   // less is done before a second thread has noticed
  constexpr std::int64_t least_chunk = 1 << 14;  // about 1000 cycles, beside 30 for claiming a chunk
  constexpr std::int64_t enough_chunks = 16;
  const std::int64_t work = rows * panels * panel_work;
  if (work < least_step) return {rows, panels, 1, 1};
  const std::int64_t most = work / least_chunk;
  StepPlan plan{rows, panels, 1, std::min(panels, most)};
  const std::int64_t tiles = (rows + tile_rows - 1) / tile_rows;
  if (plan.panel_parts == panels)
    plan.row_parts = std::clamp<std::int64_t>(std::min(enough_chunks, most) / panels, 1, tiles);
  return plan;
}

/// A panel: `Vectors` vectors of columns, a row every row_stride elements.
template <class T>
struct StepPanel {
  const T* elements;
  std::int64_t row_stride;

  StepPanel from_row(std::int64_t k) const { return {elements + k * row_stride, row_stride}; }
};

/// A matrix (depth x columns) in panels of `Vectors` vectors of columns, depth-major.
template <class T, int Vectors>
struct StepMatrix {
  static constexpr int width = Vectors * lanes<T>;

  std::int64_t depth, panels;
  T* elements;

  T* at(std::int64_t panel, std::int64_t k) const { return elements + (panel * depth + k) * width; }
  StepPanel<T> panel(std::int64_t p) const { return {at(p, 0), width}; }
  static std::int64_t size(std::int64_t depth, std::int64_t panels) { return depth * panels * width; }
};

/// Packs `rows` rows of one vector of a panel: to[k * width + j] = source[k * row_stride + j * column_stride]
/// for the first `count` of the vector's columns, zeros in the others. One of the strides is 1.
template <class T>
void pack_step_columns(std::int64_t rows, int count, const T* source, std::int64_t row_stride,
                       std::int64_t column_stride, std::int64_t width, T* to) {
  if (column_stride == 1) {
    for (std::int64_t k = 0; k < rows; ++k) store(to + k * width, load_up_to(source + k * row_stride, count));
    return;
  }
  for (std::int64_t k = 0; k < rows; k += lanes<T>) {
    const int deep = static_cast<int>(std::min<std::int64_t>(lanes<T>, rows - k));
    Vec<T> block[lanes<T>];
#pragma GCC unroll 16
    for (int j = 0; j < lanes<T>; ++j)
      block[j] = j < count ? load_up_to(source + j * column_stride + k, deep) : Vec<T>{};
    transpose(block);
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i)
      if (i < deep) store(to + (k + i) * width, block[i]);
  }
}

/// sums (Rows x Vectors vectors) = Rows rows of a (depth each, a_stride apart) times `depth` rows of a panel,
/// added to what sums holds where `accumulate`. Meanwhile `depth` cache lines from `ahead` on are fetched
/// into the second-level cache.
template <int Rows, int Vectors, class T>
__attribute__((noinline)) void multiply_rows(std::int64_t depth, const T* a, std::int64_t a_stride,
                                             StepPanel<T> panel, bool accumulate, const T* ahead, T* sums) {
  // Few accumulators would wait for one another: the depth is then shared out among several sets of them.
  constexpr int sets = std::max(1, 8 / (Rows * Vectors));
  constexpr int width = Vectors * lanes<T>;
  Vec<T> partial[sets][Rows][Vectors] = {};
  const auto add_row = [&](Vec<T>(&into)[Rows][Vectors], std::int64_t k) __attribute__((always_inline)) {
    const T* row = panel.elements + k * panel.row_stride;
    __builtin_prefetch(ahead + k * line<T>, 0, 2);
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
                                  StepPanel<T> panel, bool accumulate, const T* ahead, StepSum<T>* sums) {
  if (rows == Rows)
    multiply_rows<Rows, Vectors>(depth, a, a_stride, panel, accumulate, ahead, sums);
  else if constexpr (Rows > 1)
    multiply_up_to<Rows - 1, Vectors>(rows, depth, a, a_stride, panel, accumulate, ahead, sums);
}

/// Part of the left side of a product: rows of `depth` elements, `stride` apart. Null rows stand for zeros.
template <class T>
struct StepRows {
  const T* rows;
  std::int64_t stride, depth;
};

/// Rows whose sums are kept at a time, and how much of the depth a panel goes through them: a block of a
/// panel stays in the second-level cache beside the next one, which is fetched meanwhile, for the cache that
/// holds a large matrix as a whole is too far away to wait for.
template <int Vectors>
inline constexpr std::int64_t step_group = 66 / step_rows<Vectors> * step_rows<Vectors>;
template <class T, int Vectors>
inline constexpr std::int64_t step_depth = std::is_same_v<T, std::uint32_t> ? 512 / Vectors
                                           : FASTDL_VECTOR_BYTES == 64      ? 256
                                                                            : 128;

/// sums = rows [row, row_end) of the operands, side by side, times a panel, whose depth is that of all of
/// them.
template <class T, int Vectors, int Operands>
void multiply_group(StepRange rows, const StepRows<T> (&operands)[Operands], StepPanel<T> panel,
                    StepSum<T>* sums) {
  constexpr int width = Vectors * lanes<T>, lines = width / line<T>;
  const std::int64_t count = rows.end - rows.begin;
  const std::int64_t tiles = (count + step_rows<Vectors> - 1) / step_rows<Vectors>;
  bool accumulate = false;
  for (const StepRows<T>& operand : operands) {
    for (std::int64_t k = 0; operand.rows && k < operand.depth; k += step_depth<T, Vectors>) {
      const std::int64_t depth = std::min(step_depth<T, Vectors>, operand.depth - k);
      const StepPanel<T> block = panel.from_row(k);
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        const StepRange part = part_of(count, tiles, tile);
        const T* ahead = block.elements + (tile < lines ? depth * (width + tile * line<T>) : 0);
        multiply_up_to<step_rows<Vectors>, Vectors>(
            static_cast<int>(part.end - part.begin), depth,
            operand.rows + (rows.begin + part.begin) * operand.stride + k, operand.stride, block, accumulate,
            ahead, sums + part.begin * width);
      }
      accumulate = true;
    }
    panel = panel.from_row(operand.depth);
  }
  if (!accumulate) std::fill_n(sums, count * width, StepSum<T>(0));
}

/// For every row and panel of a part of a step: finish(row, panel, sums), where sums holds the product of the
/// operands' row with the panel's columns. panel_at(p) is panel p of the matrix.
template <int Vectors, class T, int Operands, class PanelAt, class Finish>
void multiply_step(StepRange panels, StepRange rows, const StepRows<T> (&operands)[Operands],
                   const PanelAt& panel_at, const Finish& finish) {
  constexpr int width = Vectors * lanes<T>;
  alignas(64) StepSum<T> sums[step_group<Vectors> * width];
  const std::int64_t count = rows.end - rows.begin;
  const std::int64_t groups = (count + step_group<Vectors> - 1) / step_group<Vectors>;
  for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const StepRange part = part_of(count, groups, group);
      const StepRange own{rows.begin + part.begin, rows.begin + part.end};
      multiply_group<T, Vectors>(own, operands, panel_at(panel), sums);
      for (std::int64_t row = own.begin; row < own.end; ++row)
        finish(row, panel, sums + (row - own.begin) * width);
    }
  }
}

/// Dot products, for too few rows to repay packing: sums[row * sums_stride + j] = row `row` of a times column
/// j of a vector of columns, whose elements lie one after another, and the columns column_stride apart.
/// `count`: as for load_up_to.
template <int Rows, class T>
__attribute__((noinline)) void dot_rows(std::int64_t depth, const T* a, std::int64_t a_stride,
                                        const T* columns, std::int64_t column_stride, int count, T* sums,
                                        std::int64_t sums_stride) {
  constexpr int together = std::min(4, lanes<T>);  // columns that share a load of a
  constexpr int sets = std::max(1, vector_registers / 2 / (together * Rows));
  Vec<T> partial[Rows][lanes<T>];
  for (int first = 0; first < lanes<T>; first += together) {
    const T* w[together];  // beyond the last column: the last one again, its sum not used
#pragma GCC unroll 16
    for (int j = 0; j < together; ++j) w[j] = columns + std::min(first + j, count - 1) * column_stride;
    Vec<T> totals[sets][Rows][together] = {};
    const auto add = [&](Vec<T>(&into)[Rows][together], std::int64_t k, int n)
                         __attribute__((always_inline)) {
                           Vec<T> part[Rows];
#pragma GCC unroll 16
                           for (int row = 0; row < Rows; ++row)
                             part[row] = load_up_to(a + row * a_stride + k, n);
#pragma GCC unroll 16
                           for (int j = 0; j < together; ++j) {
                             const Vec<T> column = load_up_to(w[j] + k, n);
#pragma GCC unroll 16
                             for (int row = 0; row < Rows; ++row) into[row][j] += part[row] * column;
                           }
                         };
    std::int64_t k = 0;
    for (; k + sets * lanes<T> <= depth; k += sets * lanes<T>) {
#pragma GCC unroll 16
      for (int set = 0; set < sets; ++set) add(totals[set], k + set * lanes<T>, lanes<T>);
    }
    for (; k + lanes<T> <= depth; k += lanes<T>) add(totals[0], k, lanes<T>);
    if (k < depth) add(totals[0], k, static_cast<int>(depth - k));
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 16
      for (int j = 0; j < together; ++j) {
        Vec<T> total = totals[0][row][j];
#pragma GCC unroll 16
        for (int set = 1; set < sets; ++set) total += totals[set][row][j];
        partial[row][first + j] = total;
      }
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < Rows; ++row) store(sums + row * sums_stride, reduce_add_each(partial[row]));
}

template <int Rows, class T>
FASTDL_INLINE void dot_up_to(int rows, std::int64_t depth, const T* a, std::int64_t a_stride,
                             const T* columns, std::int64_t column_stride, int count, T* sums,
                             std::int64_t sums_stride) {
  if (rows == Rows)
    dot_rows<Rows>(depth, a, a_stride, columns, column_stride, count, sums, sums_stride);
  else if constexpr (Rows > 1)
    dot_up_to<Rows - 1>(rows, depth, a, a_stride, columns, column_stride, count, sums, sums_stride);
}

/// Rows whose dot products are taken together.
inline constexpr int dot_tile = 4;

/// multiply_step without a packed matrix: `weight` holds the transpose, row after row, in sections of
/// `section` rows. A panel's vector v holds lanes of section v.
template <int Vectors, class T, class Finish>
void dot_step(StepRange panels, StepRange rows, const StepRows<T>& a, const T* weight, std::int64_t section,
              const Finish& finish) {
  constexpr int width = Vectors * lanes<T>;
  alignas(64) T sums[dot_tile * width] = {};
  for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const std::int64_t first = panel * lanes<T>;
    const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, section - first));
    for (std::int64_t row = rows.begin; row < rows.end; row += dot_tile) {
      const int together = static_cast<int>(std::min<std::int64_t>(dot_tile, rows.end - row));
      for (int v = 0; a.rows && v < Vectors; ++v)
        dot_up_to<dot_tile>(together, a.depth, a.rows + row * a.stride, a.stride,
                            weight + (v * section + first) * a.depth, a.depth, count, sums + v * lanes<T>,
                            width);
      for (int i = 0; i < together; ++i) finish(row + i, panel, sums + i * width);
    }
  }
}

/// sums[j] = the sum of column j of `rows` (count x columns, rows `stride` apart), in blocks, which keeps the
/// rounding error low. Elements of S are summed in T.
template <class T, class S>
void sum_rows(const S* rows, std::int64_t stride, std::int64_t count, std::int64_t columns, S* sums) {
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
          sum[v] += load_up_to(rows + row * stride + begin + v * lanes<T>, in_vector(v));
      for (int v = 0; v < vectors; ++v) total[v] += sum[v];
    }
    for (int v = 0; v < vectors; ++v) store_up_to(sums + begin + v * lanes<T>, total[v], in_vector(v));
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
