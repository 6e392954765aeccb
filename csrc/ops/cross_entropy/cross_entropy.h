#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"
#include "primitives/loss_reduction.h"

namespace fastdl {

/// Softmax and cross entropy in one: logits x (N, C, inner) against class indices (N, inner) or probabilities
/// (N, C, inner).
///
///   l[n, i] = -sum_c w[c] q[n, c, i] log softmax(x[n, :, i])[c],   q = (1 - label_smoothing) target +
///   label_smoothing / C
///
/// with `target` one-hot where indices are given. A row (n, i) whose index is ignore_index counts nothing.
/// mean divides by the sum of w[target] over the rows that count (indices), or by N * inner (probabilities).
struct CrossEntropyParams {
  DType dtype;           ///< of logits, weights, probabilities, loss and gradients
  std::int64_t batch;    ///< N
  std::int64_t classes;  ///< C, at least 1
  std::int64_t inner;    ///< product of the dimensions behind the classes
  bool probabilities;    ///< target holds probabilities, not indices
  std::int64_t ignore_index;
  double label_smoothing;
  Reduction reduction;

  std::int64_t rows() const { return batch * inner; }
};

/// All arrays are C-contiguous; `weight` (C) may be null; none aliases another.
struct CrossEntropyKernels {
  /// Bytes of Launch::workspace for forward and backward.
  std::size_t (*workspace_bytes)(const CrossEntropyParams&);

  /// loss: (N, inner) for Reduction::none, one value otherwise. What backward wants: row_statistics (2, N,
  /// inner), the maximum m of each row's logits and log sum_c exp(x[c] - m), kept apart because their sum
  /// would lose the digits of the second; and total_weight (1), the divisor of the mean. An index outside [0,
  /// C) that is not ignore_index: the CPU answers bad_index and writes nothing; a device that must not wait
  /// for its kernels makes the row's loss and gradient NaN and reads nothing outside.
  ///
  /// grad_input (N, C, inner), null unless it is wanted and gradient_with_loss says that the kernel has it:
  /// what backward would give for a grad_loss of one; not for Reduction::none.
  Status (*forward)(const Launch&, const CrossEntropyParams&, const void* input, const void* target,
                    const void* weight, void* loss, void* row_statistics, void* total_weight,
                    void* grad_input);

  /// grad_loss: shaped like loss. grad_input (N, C, inner) and, for probabilities, grad_target (N, C, inner);
  /// either may be null.
  Status (*backward)(const Launch&, const CrossEntropyParams&, const void* grad_loss, const void* input,
                     const void* target, const void* weight, const void* row_statistics,
                     const void* total_weight, void* grad_input, void* grad_target);

  bool gradient_with_loss;
};

/// The shape rule: checks everything that does not depend on values and gives the kernel's view of it.
/// `weight` may be null. Throws ValueError or TypeError.
CrossEntropyParams cross_entropy_params(const Shape& input, DType input_dtype, const Shape& target,
                                        DType target_dtype, const Shape* weight, DType weight_dtype,
                                        const std::string& reduction, std::int64_t ignore_index,
                                        double label_smoothing);

}  // namespace fastdl
