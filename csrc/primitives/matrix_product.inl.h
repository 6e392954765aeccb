// Many products of matrices at once, C[i] = A[i] B[i], whatever the operands' strides. Threads share matrices
// and blocks of them by shape; where C is a single row or column, dot products take the place of register
// tiles. Which loop runs, and in what order it sums, follows from the sizes alone, never from strides.
#pragma once

#include "primitives/gemm.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

struct ProductSizes {
  std::int64_t batch, rows, columns, depth;
};

// ---- one row or one column

/// Rows copied side by side where they are not contiguous, and the run of columns that is summed at a time.
inline constexpr int gathered_rows = 8, dot_depth = 512;

template <class T>
FASTDL_INLINE T dot(const T* a, const T* x, std::int64_t count) {
  constexpr int width = lanes<T>;
  Vec<T> sums[4] = {};
  std::int64_t k = 0;
  for (; k + 4 * width <= count; k += 4 * width) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums[j] += load(a + k + j * width) * load(x + k + j * width);
  }
  for (; k + width <= count; k += width) sums[0] += load(a + k) * load(x + k);
  const int rest = static_cast<int>(count - k);
  if (rest) sums[1] += load_partial(a + k, rest) * load_partial(x + k, rest);
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/// y[row] += sum_k A(row, k) x[k], for rows [begin, end) and a run of columns from `k`, whatever A's strides.
template <class T>
void add_gathered_dots(const Matrix<T>& a, const T* x, std::int64_t begin, std::int64_t end, std::int64_t k,
                       std::int64_t depth, T* y) {
  T gathered[gathered_rows][dot_depth];
  for (std::int64_t row = begin; row < end; row += gathered_rows) {
    const int rows = static_cast<int>(std::min<std::int64_t>(gathered_rows, end - row));
    for (std::int64_t d = 0; d < depth; ++d)
      for (int i = 0; i < rows; ++i) gathered[i][d] = a(row + i, k + d);
    for (int i = 0; i < rows; ++i) y[row + i] += dot(gathered[i], x, depth);
  }
}

/// y[row] = sum_k A(row, k) x(k) + bias[row * bias_stride] for rows [begin, end); `bias` may be null.
template <class T>
void multiply_vector(const Matrix<T>& a, const T* x, std::int64_t x_stride, std::int64_t begin,
                     std::int64_t end, std::int64_t depth, const T* bias, std::int64_t bias_stride, T* y) {
  T gathered[dot_depth];
  for (std::int64_t row = begin; row < end; ++row) y[row] = bias ? bias[row * bias_stride] : T(0);
  if (a.column_stride == 1 && x_stride == 1) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t k = 0; k < depth; k += dot_depth)
        y[row] += dot(&a(row, k), x + k, std::min<std::int64_t>(dot_depth, depth - k));
    return;
  }
  for (std::int64_t k = 0; k < depth; k += dot_depth) {
    const std::int64_t run = std::min<std::int64_t>(dot_depth, depth - k);
    const T* part = x + k * x_stride;
    if (x_stride != 1) {
      for (std::int64_t d = 0; d < run; ++d) gathered[d] = part[d * x_stride];
      part = gathered;
    }
    add_gathered_dots(a, part, begin, end, k, run, y);
  }
}

/// The product where columns == 1 (a matrix and a vector) or rows == 1 (its transpose).
template <class T, class AAt, class BAt>
void multiply_vectors(const ProductSizes& sizes, const AAt& a_at, const BAt& b_at, const T* column_bias,
                      const Activation& activation, T* c) {
  constexpr std::int64_t chunk_work = 1 << 16;
  const std::int64_t rows = std::max(sizes.rows, sizes.columns);
  const std::int64_t depth = std::max<std::int64_t>(1, sizes.depth);
  const std::int64_t rows_per_chunk = ceil_div(ceil_div(chunk_work, depth), gathered_rows) * gathered_rows;
  const std::int64_t row_chunks = ceil_div(rows, rows_per_chunk);
  const std::int64_t bundle = std::max<std::int64_t>(1, chunk_work / (rows * depth));
  parallel_for(ceil_div(sizes.batch, bundle) * row_chunks, [&](std::int64_t chunk) {
    const std::int64_t first = chunk / row_chunks * bundle, last = std::min(sizes.batch, first + bundle);
    const std::int64_t begin = chunk % row_chunks * rows_per_chunk,
                       end = std::min(rows, begin + rows_per_chunk);
    for (std::int64_t i = first; i < last; ++i) {
      const Matrix<T> a = a_at(i), b = b_at(i);
      if (sizes.columns == 1) {
        multiply_vector(a, b.elements, b.row_stride, begin, end, sizes.depth, column_bias, 0, c + i * rows);
      } else {
        const Matrix<T> transposed{b.elements, b.column_stride, b.row_stride};
        multiply_vector(transposed, a.elements, a.column_stride, begin, end, sizes.depth, column_bias, 1,
                        c + i * rows);
      }
      if (activation.kind != ActivationKind::none)
        activate_run(activation, end - begin, c + i * rows + begin);
    }
  });
}

// ---- matrices

FASTDL_INLINE bool is_vector_product(const ProductSizes& sizes) {
  return sizes.rows == 1 || sizes.columns == 1;
}

/// C[i] (batch, rows, columns; C-contiguous) = A[i] B[i] + column_bias (columns, may be null), activated,
/// with a_at(i) and b_at(i) giving each Matrix.
template <class T, class AAt, class BAt>
void multiply_matrices(const ProductSizes& sizes, const AAt& a_at, const BAt& b_at, const T* column_bias,
                       T* c, const Activation& activation = {}) {
  const std::int64_t rows = sizes.rows, columns = sizes.columns, depth = sizes.depth;
  if (sizes.batch == 0 || rows == 0 || columns == 0) return;
  if (is_vector_product(sizes)) return multiply_vectors(sizes, a_at, b_at, column_bias, activation, c);

  constexpr std::int64_t enough_matrices = 8, chunk_work = 1 << 16;
  const auto product = [&](std::int64_t i) {
    return Product<T>{rows,    columns,   depth, a_at(i), b_at(i), column_bias, false, c + i * rows * columns,
                      columns, activation};
  };
  GemmPlan plan = plan_gemm(product(0));
  // With many matrices, threads have work without cutting lines, which packs again for each cut.
  if (sizes.batch >= enough_matrices) plan.line_cut.pieces = ceil_div(plan.lines, 256);
  const std::size_t bytes = GemmScratch<T>(product(0), plan).bytes;
  const std::int64_t work = rows * columns * std::max<std::int64_t>(1, depth);
  const std::int64_t bundle = plan.chunks() > 1 ? 1 : std::max<std::int64_t>(1, chunk_work / work);
  parallel_for(ceil_div(sizes.batch, bundle) * plan.chunks(), [&](std::int64_t chunk) {
    const Workspace memory(bytes);
    const std::int64_t begin = chunk / plan.chunks() * bundle, end = std::min(sizes.batch, begin + bundle);
    for (std::int64_t i = begin; i < end; ++i)
      multiply_chunk(product(i), plan, chunk % plan.chunks(), memory.data());
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
