#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/memory_format.h"
#include "core/shape.h"
#include "primitives/activation.h"

namespace fastdl {

/// Batch normalisation of x (N, C, inner):
///
///   y[n, c, i] = (x[n, c, i] - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]
///
/// with mean and variance (the biased one) of the N * inner values of each channel where `training`, and the
/// running ones otherwise.
///
/// channels_last images are such an array too: (N H W, C, 1).
struct BatchNormParams {
  DType dtype;
  std::int64_t batch, channels, inner;
  bool training;
  double momentum, eps;

  std::int64_t count() const { return batch * inner; }
};

/// All arrays are dense, x, y and their gradients in memory as (batch, channels, inner); none aliases
/// another; the vectors have C elements. `weight` (null for ones), `bias` (null for zeros).
struct BatchNormKernels {
  std::size_t (*forward_workspace_bytes)(const BatchNormParams&);
  /// Writes y, activated, and what backward wants: mean and invstd = 1 / sqrt(variance + eps). Where
  /// training, and not null, running_mean becomes (1 - momentum) running_mean + momentum mean, running_var
  /// likewise with the unbiased variance, unless x is empty; otherwise they are only read.
  Status (*forward)(const Launch&, const BatchNormParams&, const Activation&, const void* x,
                    const void* weight, const void* bias, void* running_mean, void* running_var, void* y,
                    void* mean, void* invstd);

  std::size_t (*backward_workspace_bytes)(const BatchNormParams&);
  /// Each gradient may be null.
  Status (*backward)(const Launch&, const BatchNormParams&, const void* grad_y, const void* x,
                     const void* weight, const void* mean, const void* invstd, void* grad_x,
                     void* grad_weight, void* grad_bias);
};

/// A vector with one element for each channel, or none.
struct ChannelVector {
  const char* argument;
  const Shape* shape;  ///< null where it is not given
  DType dtype;
};

/// The shape rule. Throws ValueError or TypeError.
BatchNormParams batch_norm_params(const Shape& x, DType x_dtype, const ChannelVector& running_mean,
                                  const ChannelVector& running_var, const ChannelVector& weight,
                                  const ChannelVector& bias, bool training, double momentum, double eps,
                                  MemoryFormat format = MemoryFormat::contiguous);

}  // namespace fastdl
