#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

/// Softmax, or its logarithm, over the middle axis of x (N, C, inner), for each row (n, i):
///
///   y[c] = exp(x[c] - m) / sum_c' exp(x[c'] - m),   log y[c] = x[c] - m - log sum_c' exp(x[c'] - m)
///
/// with m = max_c x[c]. A row with a NaN, with an infinity or of -infinity alone is NaN, as in PyTorch;
/// beside finite values -infinity counts nothing.
struct SoftmaxParams {
  DType dtype;           ///< of all arrays
  bool log;              ///< y holds the logarithms
  std::int64_t batch;    ///< N
  std::int64_t classes;  ///< C
  std::int64_t inner;    ///< product of the dimensions behind the classes

  std::int64_t rows() const { return batch * inner; }
};

/// All arrays are (N, C, inner) and C-contiguous; none aliases another.
struct SoftmaxKernels {
  Status (*forward)(const Launch&, const SoftmaxParams&, const void* input, void* output);

  Status (*backward)(const Launch&, const SoftmaxParams&, const void* grad_output, const void* output,
                     void* grad_input);
};

/// The shape rule. dim counts from the front; an array without axes is a row of one. Throws ValueError or
/// TypeError.
SoftmaxParams softmax_params(bool log, const Shape& input, DType dtype, int dim);

}  // namespace fastdl
