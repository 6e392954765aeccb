#pragma once

#include "core/backend.h"
#include "primitives/multi_tensor.h"

namespace fastdl {

/// One step of Adam (D. Kingma and J. Ba, arXiv:1412.6980), with t the step's number, from 1:
///
///   g           = grad + weight_decay param                   (maximize: -grad + weight_decay param)
///   exp_avg    += (1 - beta1) (g - exp_avg)
///   exp_avg_sq  = beta2 exp_avg_sq + (1 - beta2) g^2
///   param      -= lr / (1 - beta1^t) exp_avg / (sqrt(exp_avg_sq / (1 - beta2^t)) + eps)
///
/// decoupled_weight_decay (AdamW, arXiv:1711.05101): g is the gradient alone, and before all else
/// param -= lr weight_decay param. amsgrad (Reddi et al., ICLR 2018): max_exp_avg_sq, the largest exp_avg_sq
/// so far, stands in the last line.
struct AdamParams {
  double lr, beta1, beta2, eps, weight_decay;
  bool amsgrad, maximize, decoupled_weight_decay;
};

struct AdamTensor : ListedTensor {
  void* param;
  const void* grad;
  void* exp_avg;
  void* exp_avg_sq;
  void* max_exp_avg_sq;  ///< null without amsgrad
  double step_size;      ///< lr / (1 - beta1^t)
  double bias_correction2_sqrt;
};

struct AdamKernels {
  /// Changes param and the moments in place. Arrays that are written share no memory with any other array.
  Status (*step)(const Launch&, const AdamParams&, const AdamTensor* tensors, std::int64_t count);
};

/// Throws ValueError for hyper-parameters outside their ranges.
void check_adam(const AdamParams& params);

/// Sets what depends on the step's number. Throws ValueError where that is below 1.
void set_adam_step(const AdamParams& params, std::int64_t step, AdamTensor& tensor);

}  // namespace fastdl
