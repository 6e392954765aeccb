#pragma once

#include "core/backend.h"
#include "primitives/multi_tensor.h"

namespace fastdl {

/// One step of RMSprop (T. Tieleman and G. Hinton, 2012), centred as in A. Graves, arXiv:1308.0850:
///
///   g           = grad + weight_decay param                   (maximize: -grad + weight_decay param)
///   square_avg  = alpha square_avg + (1 - alpha) g^2
///   scaled      = g / (sqrt(square_avg) + eps)
///   param      -= lr scaled
///
/// centered: grad_avg += (1 - alpha) (g - grad_avg), and square_avg - grad_avg^2 stands under the root, at
/// least 0. With momentum: buf = momentum buf + scaled, and param -= lr buf.
struct RmspropParams {
  double lr, alpha, eps, weight_decay, momentum;
  bool centered, maximize;
};

struct RmspropTensor : ListedTensor {
  void* param;
  const void* grad;
  void* square_avg;
  void* grad_avg;         ///< null unless centered
  void* momentum_buffer;  ///< null without momentum
};

struct RmspropKernels {
  /// Changes all but grad in place. Arrays that are written share no memory with any other array.
  Status (*step)(const Launch&, const RmspropParams&, const RmspropTensor* tensors, std::int64_t count);
};

/// Throws ValueError for hyper-parameters outside their ranges.
void check_rmsprop(const RmspropParams& params);

}  // namespace fastdl
