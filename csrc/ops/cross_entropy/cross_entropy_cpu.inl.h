#include <algorithm>

#include "core/allocator.h"
#include "core/thread_pool.h"
#include "ops/cross_entropy/cross_entropy_rows.inl.h"
#include "primitives/class_indices.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// One walk over all rows: what it is given, and where results go; null for what is not wanted.
template <class T>
struct Walk {
  const T* maximum_given = nullptr;
  const T* grad_loss = nullptr;  ///< null for a one
  bool grad_of_each_row = false;
  T divisor = 1;

  double* loss_sums = nullptr;  ///< one a chunk
  T* row_loss = nullptr;
  T* maximum = nullptr;
  T* log_sum = nullptr;
  T* gradient = nullptr;

  T grad(std::int64_t row) const {
    return (grad_loss ? grad_loss[grad_of_each_row ? row : 0] : T(1)) / divisor;
  }
};

struct BlockOfRows {
  std::int64_t row, offset;
  int count;
};

/// Statistics and losses of a block, from its sums. Answers the sum of the losses.
template <class T>
double put_losses(const CrossEntropy<T>& problem, const Walk<T>& walk, const BlockOfRows& block,
                  RowSums<T>& sums) {
  T loss[max_block_rows];
  finish_losses(problem, block.count, sums, loss);
  if (walk.maximum) {
    copy_elements(sums.maximum, block.count, walk.maximum + block.row);
    copy_elements(sums.log_sum, block.count, walk.log_sum + block.row);
  }
  if (walk.row_loss) copy_elements(loss, block.count, walk.row_loss + block.row);
  double total[4] = {};
  for (int j = 0; j < block.count; ++j) total[j % 4] += loss[j];
  return (total[0] + total[1]) + (total[2] + total[3]);
}

template <class T, bool dense, bool kept>
double walk_contiguous(const CrossEntropy<T>& problem, const Walk<T>& walk, const BlockOfRows& block, T*) {
  const std::int64_t classes = problem.params.classes;
  const T* const x = problem.input + block.offset;
  const auto targets = [&](int j) {
    return problem.probabilities ? problem.probabilities + block.offset + j * classes : nullptr;
  };
  T* const y = kept ? walk.gradient + block.offset : nullptr;
  RowSums<T> sums;
  // Step by step for all rows: the chains within one short row are longer than the work on it.
  if (walk.maximum_given)
    copy_elements(walk.maximum_given + block.row, block.count, sums.maximum);
  else
    for (int j = 0; j < block.count; ++j) sums.maximum[j] = row_maximum(x + j * classes, classes);
  for (int j = 0; j < block.count; ++j) {
    look_up_target(problem, block.row, j, x + j * classes, 1, sums);
    sum_row<T, dense, kept>(problem, x + j * classes, targets(j), sums, j, kept ? y + j * classes : nullptr);
  }
  for (int j = 0; kept && j < block.count; ++j) {
    const std::int64_t row = block.row + j;
    row_gradient<T, dense>(problem, row, targets(j), walk.grad(row), sums, j, y + j * classes);
  }
  return walk.loss_sums ? put_losses(problem, walk, block, sums) : 0;
}

/// `tiles`: one for logits and one for probabilities.
template <class T, bool dense, bool kept>
double walk_neighbours(const CrossEntropy<T>& problem, const Walk<T>& walk, const BlockOfRows& block,
                       T* tiles) {
  const RowBlocks<T>& blocks = problem.blocks;
  const std::int64_t step = blocks.step();
  const T* const x = blocks.load_block(problem.input + block.offset, block.count, tiles);
  const T* const targets = problem.probabilities ? blocks.load_block(problem.probabilities + block.offset,
                                                                     block.count, tiles + blocks.tile_size())
                                                 : nullptr;
  T* const gradient = kept ? walk.gradient + block.offset : nullptr;
  T* const y = blocks.kind == RowBlocks<T>::in_place ? gradient : tiles;
  RowSums<T> sums;
  if (walk.maximum_given)
    copy_elements(walk.maximum_given + block.row, block.count, sums.maximum);
  else
    row_maxima(x, step, blocks.classes, block.count, sums.maximum);
  for (int j = 0; j < block.count; ++j) look_up_target(problem, block.row, j, x + j, step, sums);
  sum_rows<T, dense, kept>(problem, x, targets, step, block.count, sums, y);
  if constexpr (kept) {
    T g[max_block_rows];
    for (int j = 0; j < block.count; ++j) g[j] = walk.grad(block.row + j);
    row_gradients<T, dense>(problem, block.row, targets, g, block.count, sums, step, y);
    blocks.store_block(y, block.count, gradient);
  }
  return walk.loss_sums ? put_losses(problem, walk, block, sums) : 0;
}

FASTDL_INLINE std::int64_t chunks_of(std::int64_t rows, std::int64_t rows_per_chunk) {
  return (rows + rows_per_chunk - 1) / rows_per_chunk;
}

template <class T, bool dense, bool kept>
void walk_rows(const CrossEntropy<T>& problem, const Walk<T>& walk) {
  const RowBlocks<T>& blocks = problem.blocks;
  const std::int64_t rows = problem.params.rows(), step = blocks.rows_per_chunk();
  parallel_for(chunks_of(rows, step), [&](std::int64_t chunk) {
    // Without a destructor, whose unwinding would put a weak symbol into this object.
    const auto bytes = static_cast<std::size_t>(2 * blocks.tile_size()) * sizeof(T);
    T* const tiles = bytes > 0 ? static_cast<T*>(allocate(bytes)) : nullptr;
    double loss = 0;
    blocks.each(chunk * step, std::min(rows, (chunk + 1) * step),
                [&](std::int64_t row, std::int64_t offset, int count) {
                  const BlockOfRows block{row, offset, count};
                  loss += (blocks.kind == RowBlocks<T>::contiguous
                               ? walk_contiguous<T, dense, kept>
                               : walk_neighbours<T, dense, kept>)(problem, walk, block, tiles);
                });
    if (walk.loss_sums) walk.loss_sums[chunk] = loss;
    deallocate(tiles);
  });
}

template <class T>
void walk_rows(const CrossEntropy<T>& problem, const Walk<T>& walk) {
  if (problem.has_dense_target())
    (walk.gradient ? walk_rows<T, true, true> : walk_rows<T, true, false>)(problem, walk);
  else
    (walk.gradient ? walk_rows<T, false, true> : walk_rows<T, false, false>)(problem, walk);
}

/// The gradient of the probabilities, g w[c] keep (log_sum - (x[c] - m)), which hardly anybody asks for.
template <class T>
void target_gradients(const CrossEntropy<T>& problem, const Walk<T>& walk, const T* log_sum, T* grad_target) {
  const RowBlocks<T>& blocks = problem.blocks;
  const std::int64_t rows = problem.params.rows(), step = blocks.rows_per_chunk();
  parallel_for(chunks_of(rows, step), [&](std::int64_t chunk) {
    for (std::int64_t row = chunk * step; row < std::min(rows, (chunk + 1) * step); ++row) {
      const std::int64_t i = row % blocks.inner, begin = (row - i) * blocks.classes + i;
      const T g = walk.grad(row);
      for (std::int64_t c = 0; c < blocks.classes; ++c) {
        const std::int64_t at = begin + c * blocks.inner;
        grad_target[at] = g * problem.keep * problem.class_weight(c) *
                          (log_sum[row] - (problem.input[at] - walk.maximum_given[row]));
      }
    }
  });
}

/// Partial sums in the workspace: first those of the indices' check, then those of the losses.
template <class T>
std::int64_t loss_chunks(const CrossEntropyParams& params) {
  return chunks_of(params.rows(), RowBlocks<T>(params.classes, params.inner).rows_per_chunk());
}

std::size_t cross_entropy_workspace_bytes(const CrossEntropyParams& params) {
  std::int64_t losses = 0;
  with_type(params.dtype, [&]<class T>(T) { losses = loss_chunks<T>(params); });
  return static_cast<std::size_t>(index_checks(params.rows())) * sizeof(IndexCheck) +
         static_cast<std::size_t>(losses) * sizeof(double);
}

template <class T>
Status forward(const Launch& launch, const CrossEntropy<T>& problem, T* loss, T* row_statistics,
               T* total_weight, T* gradient) {
  const CrossEntropyParams& params = problem.params;
  const std::int64_t rows = params.rows();
  auto* const checks = static_cast<IndexCheck*>(launch.workspace);
  double weight = static_cast<double>(rows);
  if (problem.indices) {
    const Status status = check_and_weigh(problem.indices, rows, params.classes, params.ignore_index,
                                          problem.weight, checks, weight);
    if (status.code != Status::ok) return status;
  }
  Walk<T> walk;
  walk.divisor = params.reduction == Reduction::mean ? static_cast<T>(weight) : T(1);
  walk.loss_sums = reinterpret_cast<double*>(checks + index_checks(rows));
  walk.row_loss = params.reduction == Reduction::none ? loss : nullptr;
  walk.maximum = row_statistics;
  walk.log_sum = row_statistics ? row_statistics + rows : nullptr;
  walk.gradient = gradient;
  walk_rows(problem, walk);
  double total = 0;
  for (std::int64_t chunk = 0; chunk < loss_chunks<T>(params); ++chunk) total += walk.loss_sums[chunk];
  if (total_weight) *total_weight = static_cast<T>(weight);
  if (params.reduction == Reduction::sum) *loss = static_cast<T>(total);
  if (params.reduction == Reduction::mean) *loss = static_cast<T>(total / weight);
  return {};
}

Status cross_entropy_forward(const Launch& launch, const CrossEntropyParams& params, const void* input,
                             const void* target, const void* weight, void* loss, void* row_statistics,
                             void* total_weight, void* grad_input) {
  Status status;
  with_type(params.dtype, [&]<class T>(T) {
    status =
        forward(launch, CrossEntropy<T>(params, input, target, weight), static_cast<T*>(loss),
                static_cast<T*>(row_statistics), static_cast<T*>(total_weight), static_cast<T*>(grad_input));
  });
  return status;
}

Status cross_entropy_backward(const Launch& launch, const CrossEntropyParams& params, const void* grad_loss,
                              const void* input, const void* target, const void* weight,
                              const void* row_statistics, const void* total_weight, void* grad_input,
                              void* grad_target) {
  Status status;
  with_type(params.dtype, [&]<class T>(T) {
    const CrossEntropy<T> problem(params, input, target, weight);
    double ignored = 0;
    if (problem.indices)
      status = check_and_weigh<T>(problem.indices, params.rows(), params.classes, params.ignore_index,
                                  nullptr, static_cast<IndexCheck*>(launch.workspace), ignored);
    if (status.code != Status::ok) return;
    Walk<T> walk;
    walk.maximum_given = static_cast<const T*>(row_statistics);
    walk.grad_loss = static_cast<const T*>(grad_loss);
    walk.grad_of_each_row = params.reduction == Reduction::none;
    walk.divisor = params.reduction == Reduction::mean ? *static_cast<const T*>(total_weight) : T(1);
    walk.gradient = static_cast<T*>(grad_input);
    if (grad_input) walk_rows(problem, walk);
    if (grad_target)
      target_gradients(problem, walk, walk.maximum_given + params.rows(), static_cast<T*>(grad_target));
  });
  return status;
}

}  // namespace

void fill_cross_entropy(CrossEntropyKernels& kernels) {
  kernels = {cross_entropy_workspace_bytes, cross_entropy_forward, cross_entropy_backward, true};
}

}  // namespace fastdl::FASTDL_ISA
