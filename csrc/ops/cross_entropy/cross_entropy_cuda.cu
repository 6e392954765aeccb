#include "core/cuda_launch.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "primitives/cuda_reduce.h"

namespace fastdl {
namespace {

constexpr int threads = 128;

/// The problem as kernels take it, by value.
template <class T>
struct Problem {
  std::int64_t rows, classes, inner, ignore_index;
  const T* input;
  const std::int64_t* indices;  // null with probabilities
  const T* probabilities;       // null with indices
  const T* weight;              // null for ones
  T smooth, keep;               // label_smoothing / C and 1 - label_smoothing

  Problem(const CrossEntropyParams& params, const void* x, const void* target, const void* w)
      : rows(params.rows()),
        classes(params.classes),
        inner(params.inner),
        ignore_index(params.ignore_index),
        input(static_cast<const T*>(x)),
        indices(params.probabilities ? nullptr : static_cast<const std::int64_t*>(target)),
        probabilities(params.probabilities ? static_cast<const T*>(target) : nullptr),
        weight(static_cast<const T*>(w)),
        smooth(static_cast<T>(params.label_smoothing / static_cast<double>(params.classes))),
        keep(static_cast<T>(1.0 - params.label_smoothing)) {}

  FASTDL_DEVICE std::int64_t offset(std::int64_t row) const {
    return row / inner * classes * inner + row % inner;
  }
  FASTDL_DEVICE T class_weight(std::int64_t c) const { return weight ? weight[c] : T(1); }
  FASTDL_DEVICE bool ignored(std::int64_t row) const { return indices && indices[row] == ignore_index; }
  FASTDL_DEVICE bool bad_index(std::int64_t row) const {
    return indices && !ignored(row) && (indices[row] < 0 || indices[row] >= classes);
  }
  /// Whether class c is part of the row's sum at all: 0 times the -inf of a masked logit would be NaN.
  FASTDL_DEVICE bool shares(std::int64_t row, std::int64_t c) const {
    return !indices || smooth != T(0) || indices[row] == c;
  }
  /// w[c] q[c] of the row whose class 0 lies at `begin`.
  FASTDL_DEVICE T target(std::int64_t row, std::int64_t begin, std::int64_t c) const {
    const T share = indices ? T(indices[row] == c) : probabilities[begin + c * inner];
    return class_weight(c) * (keep * share + smooth);
  }
  FASTDL_DEVICE T row_weight(std::int64_t row) const {
    if (!indices) return T(1);
    return ignored(row) ? T(0) : class_weight(indices[row]);
  }
};

/// One block a row: the row's statistics and loss.
template <class T>
FASTDL_KERNEL void forward_rows(Problem<T> problem, T* row_loss, T* row_statistics) {
  FASTDL_SHARED(T, scratch, [32]);
  for (std::int64_t row = blockIdx.x; row < problem.rows; row += gridDim.x) {
    const std::int64_t begin = problem.offset(row);
    T maximum = -INFINITY;
    for (std::int64_t c = threadIdx.x; c < problem.classes; c += blockDim.x) {
      const T x = problem.input[begin + c * problem.inner];
      maximum = Max{}(maximum, x);
    }
    maximum = block_reduce(maximum, Max{}, scratch);
    T sum = 0;
    for (std::int64_t c = threadIdx.x; c < problem.classes; c += blockDim.x)
      sum += std::exp(problem.input[begin + c * problem.inner] - maximum);
    const T log_sum = std::log(block_reduce(sum, Sum{}, scratch));
    T loss = 0;
    if (problem.bad_index(row)) {
      loss = NAN;
    } else if (!problem.ignored(row)) {
      for (std::int64_t c = threadIdx.x; c < problem.classes; c += blockDim.x) {
        if (problem.shares(row, c))
          loss += problem.target(row, begin, c) *
                  (log_sum - (problem.input[begin + c * problem.inner] - maximum));
      }
    }
    loss = block_reduce(loss, Sum{}, scratch);
    if (threadIdx.x == 0) {
      row_loss[row] = loss;
      row_statistics[row] = maximum;
      row_statistics[problem.rows + row] = log_sum;
    }
  }
}

/// One block for all rows, in double: the sums of losses and weights in an order that the shape fixes.
template <class T>
FASTDL_KERNEL void reduce_rows(Problem<T> problem, const T* row_loss, bool mean, T* loss, T* total_weight) {
  FASTDL_SHARED(double, scratch, [32]);
  double loss_sum = 0, weight_sum = 0;
  for (std::int64_t row = threadIdx.x; row < problem.rows; row += blockDim.x) {
    loss_sum += row_loss[row];
    if (!problem.bad_index(row)) weight_sum += problem.row_weight(row);
  }
  loss_sum = block_reduce(loss_sum, Sum{}, scratch);
  weight_sum = block_reduce(weight_sum, Sum{}, scratch);
  if (threadIdx.x == 0) {
    *total_weight = static_cast<T>(weight_sum);
    if (loss) *loss = static_cast<T>(mean ? loss_sum / weight_sum : loss_sum);
  }
}

template <class T>
FASTDL_KERNEL void backward_rows(Problem<T> problem, Reduction reduction, const T* grad_loss,
                                 const T* row_statistics, const T* total_weight, T* grad_input,
                                 T* grad_target) {
  FASTDL_SHARED(T, scratch, [32]);
  for (std::int64_t row = blockIdx.x; row < problem.rows; row += gridDim.x) {
    const std::int64_t begin = problem.offset(row);
    const bool ignored = problem.ignored(row), bad = problem.bad_index(row);
    T g = grad_loss[reduction == Reduction::none ? row : 0];
    if (reduction == Reduction::mean) g /= *total_weight;
    T sum = 0;
    if (!ignored && !bad)
      for (std::int64_t c = threadIdx.x; c < problem.classes; c += blockDim.x)
        sum += problem.target(row, begin, c);
    sum = block_reduce(sum, Sum{}, scratch);
    const T maximum = row_statistics[row], log_sum = row_statistics[problem.rows + row];
    for (std::int64_t c = threadIdx.x; c < problem.classes; c += blockDim.x) {
      const std::int64_t at = begin + c * problem.inner;
      const T log_p = problem.input[at] - maximum - log_sum;
      if (grad_input) {
        const T grad = bad ? T(NAN) : g * (std::exp(log_p) * sum - problem.target(row, begin, c));
        grad_input[at] = ignored ? T(0) : grad;
      }
      if (grad_target) grad_target[at] = -g * problem.keep * problem.class_weight(c) * log_p;
    }
  }
}

std::size_t workspace_bytes(const CrossEntropyParams& params) {
  return params.reduction == Reduction::none
             ? 0
             : static_cast<std::size_t>(params.rows()) * item_size(params.dtype);
}

template <class T>
Status forward(const Launch& at, const CrossEntropyParams& params, const Problem<T>& problem, T* loss,
               T* row_statistics, T* total_weight) {
  const bool every_row = params.reduction == Reduction::none;
  T* row_loss = every_row ? loss : static_cast<T*>(at.workspace);
  const Status status = launch("cross_entropy_forward_rows", at.stream, grid_for(problem.rows, 1), threads, 0,
                               forward_rows<T>, problem, row_loss, row_statistics);
  if (status.code != Status::ok) return status;
  return launch("cross_entropy_reduce_rows", at.stream, 1, threads, 0, reduce_rows<T>, problem, row_loss,
                params.reduction == Reduction::mean, every_row ? nullptr : loss, total_weight);
}

Status forward_any(const Launch& at, const CrossEntropyParams& params, const void* input, const void* target,
                   const void* weight, void* loss, void* row_statistics, void* total_weight, void*) {
  Status status;
  with_type(params.dtype, [&]<class T>(T) {
    status = forward(at, params, Problem<T>(params, input, target, weight), static_cast<T*>(loss),
                     static_cast<T*>(row_statistics), static_cast<T*>(total_weight));
  });
  return status;
}

Status backward_any(const Launch& at, const CrossEntropyParams& params, const void* grad_loss,
                    const void* input, const void* target, const void* weight, const void* row_statistics,
                    const void* total_weight, void* grad_input, void* grad_target) {
  Status status;
  with_type(params.dtype, [&]<class T>(T) {
    status = launch("cross_entropy_backward_rows", at.stream, grid_for(params.rows(), 1), threads, 0,
                    backward_rows<T>, Problem<T>(params, input, target, weight), params.reduction,
                    static_cast<const T*>(grad_loss), static_cast<const T*>(row_statistics),
                    static_cast<const T*>(total_weight), static_cast<T*>(grad_input),
                    static_cast<T*>(grad_target));
  });
  return status;
}

}  // namespace

namespace cuda {
void fill_cross_entropy(CrossEntropyKernels& kernels) {
  kernels = {workspace_bytes, forward_any, backward_any, false};
}
}  // namespace cuda

}  // namespace fastdl
