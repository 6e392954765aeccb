#include <algorithm>
#include <cmath>

#include "core/simd_math.h"
#include "core/thread_pool.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "primitives/class_targets.h"
#include "primitives/rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// One problem with its types restored.
template <class T>
struct CrossEntropy {
  const CrossEntropyParams& params;
  const T* input;
  const std::int64_t* indices;  // null with probabilities
  const T* probabilities;       // null with indices
  const T* weight;              // null for ones
  T smooth, keep;               // label_smoothing / C and 1 - label_smoothing

  CrossEntropy(const CrossEntropyParams& p, const void* x, const void* target, const void* w)
      : params(p),
        input(static_cast<const T*>(x)),
        indices(p.probabilities ? nullptr : static_cast<const std::int64_t*>(target)),
        probabilities(p.probabilities ? static_cast<const T*>(target) : nullptr),
        weight(static_cast<const T*>(w)),
        smooth(static_cast<T>(p.label_smoothing / static_cast<double>(p.classes))),
        keep(static_cast<T>(1.0 - p.label_smoothing)) {}

  /// Offset of class 0 of row (n, i) in an (N, C, inner) array.
  std::int64_t offset(std::int64_t row) const {
    return row / params.inner * params.classes * params.inner + row % params.inner;
  }
  T class_weight(std::int64_t c) const { return weight ? weight[c] : T(1); }
  bool ignored(std::int64_t row) const { return indices && indices[row] == params.ignore_index; }

  /// The part of the target weight that does not come from a class index: w[c] q[c].
  T dense_target(std::int64_t row_offset, std::int64_t c) const {
    const T share = probabilities ? keep * probabilities[row_offset + c * params.inner] + smooth : smooth;
    return class_weight(c) * share;
  }
  bool has_dense_target() const { return probabilities || params.label_smoothing > 0; }

  /// A row's share in the divisor of the mean.
  T row_weight(std::int64_t row) const {
    if (probabilities) return T(1);
    return ignored(row) ? T(0) : class_weight(indices[row]);
  }
};

template <class T>
T row_loss(const CrossEntropy<T>& problem, std::int64_t row, T maximum, T log_sum) {
  if (problem.ignored(row)) return T(0);
  const std::int64_t inner = problem.params.inner, begin = problem.offset(row);
  const auto negative_log_softmax = [&](std::int64_t c) {
    return log_sum - (problem.input[begin + c * inner] - maximum);
  };
  T loss = 0;
  if (problem.indices) {
    const std::int64_t c = problem.indices[row];
    loss = problem.keep * problem.class_weight(c) * negative_log_softmax(c);
  }
  if (problem.has_dense_target()) {
    double sum = 0;
    for (std::int64_t c = 0; c < problem.params.classes; ++c)
      sum += static_cast<double>(problem.dense_target(begin, c)) * negative_log_softmax(c);
    loss += static_cast<T>(sum);
  }
  return loss;
}

/// Rows a chunk takes: a matter of shape alone, so that partial sums are the same at any number of threads.
FASTDL_INLINE std::int64_t rows_per_chunk(const CrossEntropyParams& params) {
  constexpr std::int64_t elements_per_chunk = 16384;
  return std::max<std::int64_t>(1, elements_per_chunk / std::max<std::int64_t>(1, params.classes));
}

FASTDL_INLINE std::int64_t chunk_count(const CrossEntropyParams& params) {
  const std::int64_t rows = rows_per_chunk(params);
  return (params.rows() + rows - 1) / rows;
}

struct PartialSums {
  double loss, weight;
};

template <class T>
void forward(const Launch& launch, const CrossEntropy<T>& problem, T* loss, T* row_statistics,
             T* total_weight) {
  const CrossEntropyParams& params = problem.params;
  const std::int64_t rows = params.rows(), step = rows_per_chunk(params), chunks = chunk_count(params);
  auto* partial = static_cast<PartialSums*>(launch.workspace);
  parallel_for(chunks, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * step, end = std::min(rows, begin + step);
    softmax_statistics(problem.input, params.classes, params.inner, begin, end, row_statistics,
                       row_statistics + rows);
    PartialSums sums{0, 0};
    for (std::int64_t row = begin; row < end; ++row) {
      const T value = row_loss(problem, row, row_statistics[row], row_statistics[rows + row]);
      if (params.reduction == Reduction::none) loss[row] = value;
      sums.loss += value;
      sums.weight += problem.row_weight(row);
    }
    partial[chunk] = sums;
  });
  PartialSums total{0, 0};
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    total.loss += partial[chunk].loss;
    total.weight += partial[chunk].weight;
  }
  *total_weight = static_cast<T>(total.weight);
  if (params.reduction == Reduction::sum) *loss = static_cast<T>(total.loss);
  if (params.reduction == Reduction::mean) *loss = static_cast<T>(total.loss / total.weight);
}

/// d loss / d x[c] = g (p[c] sum_c' w[c'] q[c'] - w[c] q[c]) with p = softmax(x).
template <class T>
void backward_row(const CrossEntropy<T>& problem, std::int64_t row, T g, T maximum, T log_sum, T* grad_input,
                  T* grad_target) {
  const std::int64_t classes = problem.params.classes, inner = problem.params.inner,
                     begin = problem.offset(row);
  if (problem.ignored(row)) {
    for (std::int64_t c = 0; grad_input && c < classes; ++c) grad_input[begin + c * inner] = T(0);
    return;
  }
  if (grad_input) {
    double sum = 0;
    if (problem.has_dense_target())
      for (std::int64_t c = 0; c < classes; ++c) sum += problem.dense_target(begin, c);
    T target_weight = static_cast<T>(sum);
    if (problem.indices) target_weight += problem.keep * problem.class_weight(problem.indices[row]);
    scaled_softmax_row(problem.input + begin, classes, inner, maximum, log_sum, g * target_weight,
                       grad_input + begin);
    if (problem.has_dense_target())
      for (std::int64_t c = 0; c < classes; ++c)
        grad_input[begin + c * inner] -= g * problem.dense_target(begin, c);
    if (problem.indices) {
      const std::int64_t c = problem.indices[row];
      grad_input[begin + c * inner] -= g * problem.keep * problem.class_weight(c);
    }
  }
  if (grad_target)
    for (std::int64_t c = 0; c < classes; ++c)
      grad_target[begin + c * inner] = g * problem.keep * problem.class_weight(c) *
                                       (log_sum - (problem.input[begin + c * inner] - maximum));
}

template <class T>
void backward(const CrossEntropy<T>& problem, const T* grad_loss, const T* row_statistics,
              const T* total_weight, T* grad_input, T* grad_target) {
  const CrossEntropyParams& params = problem.params;
  const std::int64_t rows = params.rows(), step = rows_per_chunk(params);
  const T divisor = params.reduction == Reduction::mean ? *total_weight : T(1);
  parallel_for(chunk_count(params), [&](std::int64_t chunk) {
    for (std::int64_t row = chunk * step; row < std::min(rows, (chunk + 1) * step); ++row) {
      const T g = grad_loss[params.reduction == Reduction::none ? row : 0] / divisor;
      backward_row(problem, row, g, row_statistics[row], row_statistics[rows + row], grad_input, grad_target);
    }
  });
}

FASTDL_INLINE Status check_indices(const CrossEntropyParams& params, const void* target) {
  if (params.probabilities) return {};
  return check_class_indices(static_cast<const std::int64_t*>(target), params.rows(), params.classes,
                             params.ignore_index);
}

std::size_t cross_entropy_workspace_bytes(const CrossEntropyParams& params) {
  return static_cast<std::size_t>(chunk_count(params)) * sizeof(PartialSums);
}

Status cross_entropy_forward(const Launch& launch, const CrossEntropyParams& params, const void* input,
                             const void* target, const void* weight, void* loss, void* row_statistics,
                             void* total_weight) {
  const Status status = check_indices(params, target);
  if (status.code != Status::ok) return status;
  with_type(params.dtype, [&]<class T>(T) {
    forward(launch, CrossEntropy<T>(params, input, target, weight), static_cast<T*>(loss),
            static_cast<T*>(row_statistics), static_cast<T*>(total_weight));
  });
  return {};
}

Status cross_entropy_backward(const Launch&, const CrossEntropyParams& params, const void* grad_loss,
                              const void* input, const void* target, const void* weight,
                              const void* row_statistics, const void* total_weight, void* grad_input,
                              void* grad_target) {
  const Status status = check_indices(params, target);
  if (status.code != Status::ok) return status;
  with_type(params.dtype, [&]<class T>(T) {
    backward(CrossEntropy<T>(params, input, target, weight), static_cast<const T*>(grad_loss),
             static_cast<const T*>(row_statistics), static_cast<const T*>(total_weight),
             static_cast<T*>(grad_input), static_cast<T*>(grad_target));
  });
  return {};
}

}  // namespace

void fill_cross_entropy(CrossEntropyKernels& kernels) {
  kernels = {cross_entropy_workspace_bytes, cross_entropy_forward, cross_entropy_backward};
}

}  // namespace fastdl::FASTDL_ISA
