#include <algorithm>

#include "core/simd.h"
#include "core/thread_pool.h"
#include "ops/nll_loss/nll_loss.h"
#include "primitives/class_targets.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// One problem with its types restored.
template <class T>
struct NllLoss {
  const NllLossParams& params;
  const std::int64_t* indices;
  const T* weight;  // null for ones

  NllLoss(const NllLossParams& p, const void* target, const void* w)
      : params(p), indices(static_cast<const std::int64_t*>(target)), weight(static_cast<const T*>(w)) {}

  bool ignored(std::int64_t row) const { return indices[row] == params.ignore_index; }
  T row_weight(std::int64_t row) const { return weight ? weight[indices[row]] : T(1); }

  /// Where a row's class is in an (N, C, inner) array.
  std::int64_t offset(std::int64_t row) const {
    const std::int64_t n = row / params.inner, i = row % params.inner;
    return (n * params.classes + indices[row]) * params.inner + i;
  }
};

/// Rows a chunk takes: a constant, so that partial sums are the same at any number of threads.
constexpr std::int64_t nll_rows_per_chunk = 512;

FASTDL_INLINE std::int64_t nll_chunks(const NllLossParams& params) {
  return (params.rows() + nll_rows_per_chunk - 1) / nll_rows_per_chunk;
}

struct NllSums {
  double loss, weight;
};

template <class T>
void nll_forward(const Launch& launch, const NllLoss<T>& problem, const T* input, T* loss, T* total_weight) {
  const NllLossParams& params = problem.params;
  const std::int64_t chunks = nll_chunks(params);
  auto* partial = static_cast<NllSums*>(launch.workspace);
  parallel_for(chunks, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * nll_rows_per_chunk;
    NllSums sums{0, 0};
    for (std::int64_t row = begin; row < std::min(params.rows(), begin + nll_rows_per_chunk); ++row) {
      const bool counts = !problem.ignored(row);
      const T w = counts ? problem.row_weight(row) : T(0);
      const T value = counts ? -w * input[problem.offset(row)] : T(0);
      if (params.reduction == Reduction::none) loss[row] = value;
      sums.loss += value;
      sums.weight += w;
    }
    partial[chunk] = sums;
  });
  NllSums total{0, 0};
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    total.loss += partial[chunk].loss;
    total.weight += partial[chunk].weight;
  }
  *total_weight = static_cast<T>(total.weight);
  if (params.reduction == Reduction::sum) *loss = static_cast<T>(total.loss);
  if (params.reduction == Reduction::mean) *loss = static_cast<T>(total.loss / total.weight);
}

template <class T>
void fill_with_zeros(T* to, std::int64_t count) {
  constexpr std::int64_t per_chunk = 65536;
  parallel_for((count + per_chunk - 1) / per_chunk, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * per_chunk;
    std::fill(to + begin, to + std::min(count, begin + per_chunk), T(0));
  });
}

template <class T>
void nll_backward(const NllLoss<T>& problem, const T* grad_loss, const T* total_weight, T* grad_input) {
  const NllLossParams& params = problem.params;
  const T divisor = params.reduction == Reduction::mean ? *total_weight : T(1);
  fill_with_zeros(grad_input, params.rows() * params.classes);
  parallel_for(nll_chunks(params), [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * nll_rows_per_chunk;
    for (std::int64_t row = begin; row < std::min(params.rows(), begin + nll_rows_per_chunk); ++row) {
      if (problem.ignored(row)) continue;
      const T g = grad_loss[params.reduction == Reduction::none ? row : 0] / divisor;
      grad_input[problem.offset(row)] = -problem.row_weight(row) * g;
    }
  });
}

FASTDL_INLINE Status check_nll_target(const NllLossParams& params, const void* target) {
  return check_class_indices(static_cast<const std::int64_t*>(target), params.rows(), params.classes,
                             params.ignore_index);
}

std::size_t nll_loss_workspace_bytes(const NllLossParams& params) {
  return static_cast<std::size_t>(nll_chunks(params)) * sizeof(NllSums);
}

Status nll_loss_forward(const Launch& launch, const NllLossParams& params, const void* input,
                        const void* target, const void* weight, void* loss, void* total_weight) {
  const Status status = check_nll_target(params, target);
  if (status.code != Status::ok) return status;
  with_type(params.dtype, [&]<class T>(T) {
    nll_forward(launch, NllLoss<T>(params, target, weight), static_cast<const T*>(input),
                static_cast<T*>(loss), static_cast<T*>(total_weight));
  });
  return {};
}

Status nll_loss_backward(const Launch&, const NllLossParams& params, const void* grad_loss,
                         const void* target, const void* weight, const void* total_weight, void* grad_input) {
  const Status status = check_nll_target(params, target);
  if (status.code != Status::ok) return status;
  with_type(params.dtype, [&]<class T>(T) {
    nll_backward(NllLoss<T>(params, target, weight), static_cast<const T*>(grad_loss),
                 static_cast<const T*>(total_weight), static_cast<T*>(grad_input));
  });
  return {};
}

}  // namespace

void fill_nll_loss(NllLossKernels& kernels) {
  kernels = {nll_loss_workspace_bytes, nll_loss_forward, nll_loss_backward};
}

}  // namespace fastdl::FASTDL_ISA
