#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"
#include "primitives/loss_reduction.h"

namespace fastdl {

/// Negative log likelihood: log-probabilities x (N, C, inner) against class indices t (N, inner).
///
///   l[n, i] = -w[t[n, i]] x[n, t[n, i], i]
///
/// A row (n, i) whose index is ignore_index counts nothing. mean divides by the sum of w[t] over the others.
struct NllLossParams {
  DType dtype;           ///< of input, weight, loss and gradient
  std::int64_t batch;    ///< N
  std::int64_t classes;  ///< C
  std::int64_t inner;    ///< product of the dimensions behind the classes
  std::int64_t ignore_index;
  Reduction reduction;

  std::int64_t rows() const { return batch * inner; }
};

/// All arrays are C-contiguous; `weight` (C) may be null; none aliases another. An index outside [0, C) that
/// is not ignore_index: the CPU answers bad_index and writes nothing.
struct NllLossKernels {
  /// Bytes of Launch::workspace for forward.
  std::size_t (*workspace_bytes)(const NllLossParams&);

  /// loss: (N, inner) for Reduction::none, one value otherwise; total_weight: the divisor of the mean.
  Status (*forward)(const Launch&, const NllLossParams&, const void* input, const void* target,
                    const void* weight, void* loss, void* total_weight);

  /// grad_loss: shaped like loss; grad_input (N, C, inner).
  Status (*backward)(const Launch&, const NllLossParams&, const void* grad_loss, const void* target,
                     const void* weight, const void* total_weight, void* grad_input);
};

/// The shape rule: checks everything that does not depend on values and gives the kernel's view of it.
/// `weight` may be null. Throws ValueError or TypeError.
NllLossParams nll_loss_params(const Shape& input, DType input_dtype, const Shape& target, const Shape* weight,
                              DType weight_dtype, std::int64_t ignore_index, const std::string& reduction);

}  // namespace fastdl
