#pragma once

#include "core/backend.h"
#include "primitives/multi_tensor.h"

namespace fastdl {

/// One step of stochastic gradient descent with momentum, in the form of I. Sutskever et al., ICML 2013:
///
///   g     = grad + weight_decay param                         (maximize: -grad + weight_decay param)
///   buf   = momentum buf + (1 - dampening) g                  (the tensor's first step: buf = g)
///   param -= lr buf                                           (nesterov: lr (g + momentum buf))
///
/// Without momentum there is no buf: param -= lr g.
struct SgdParams {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
};

struct SgdTensor : ListedTensor {
  void* param;
  const void* grad;
  void* momentum_buffer;  ///< null without momentum
  bool first_step;        ///< momentum_buffer's old values count nothing
};

struct SgdKernels {
  /// Changes param and momentum_buffer in place. Arrays that are written share no memory with any other
  /// array.
  Status (*step)(const Launch&, const SgdParams&, const SgdTensor* tensors, std::int64_t count);
};

/// Throws ValueError for hyper-parameters outside their ranges.
void check_sgd(const SgdParams& params);

}  // namespace fastdl
