#include "ops/rmsprop/rmsprop.h"
#include "primitives/multi_tensor.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
void rmsprop_range(const RmspropParams& params, const RmspropTensor& tensor, std::int64_t begin,
                   std::int64_t end) {
  auto* param = static_cast<T*>(tensor.param);
  const auto* grad = static_cast<const T*>(tensor.grad);
  auto* square_avg = static_cast<T*>(tensor.square_avg);
  auto* grad_avg = static_cast<T*>(tensor.grad_avg);
  auto* buffer = static_cast<T*>(tensor.momentum_buffer);
  // A decay of zero is none: zero times an infinite parameter would be NaN.
  const bool l2 = params.weight_decay != 0;
  const T sign = params.maximize ? T(-1) : T(1);
  const Vec<T> decay = broadcast(static_cast<T>(params.weight_decay));
  const Vec<T> momentum = broadcast(static_cast<T>(params.momentum));
  const T alpha = static_cast<T>(params.alpha), weight = static_cast<T>(1.0 - params.alpha);
  const T eps = static_cast<T>(params.eps), lr = static_cast<T>(params.lr);
  for_each_vector<T>(begin, end, [&](auto vector, std::int64_t i) {
    const Vec<T> p = vector.load(param + i);
    Vec<T> g = sign * vector.load(grad + i);
    if (l2) g = fma(decay, p, g);
    Vec<T> variance = fma(weight * g, g, alpha * vector.load(square_avg + i));
    vector.store(square_avg + i, variance);
    if (grad_avg) {
      const Vec<T> mean = lerp(vector.load(grad_avg + i), g, weight);
      vector.store(grad_avg + i, mean);
      // Rounding may take it below zero where the gradients hardly vary. This order of max keeps NaN.
      variance = max(Vec<T>{}, fma(-mean, mean, variance));
    }
    const Vec<T> denominator = sqrt(variance) + eps;
    if (buffer) {
      const Vec<T> buf = fma(momentum, vector.load(buffer + i), g / denominator);
      vector.store(buffer + i, buf);
      vector.store(param + i, fma(broadcast<T>(-lr), buf, p));
    } else {
      vector.store(param + i, p - lr * g / denominator);
    }
  });
}

Status rmsprop_step(const Launch&, const RmspropParams& params, const RmspropTensor* tensors,
                    std::int64_t count) {
  for_each_range(tensors, count, [&](const RmspropTensor& tensor, std::int64_t begin, std::int64_t end) {
    with_type(tensor.dtype, [&]<class T>(T) { rmsprop_range<T>(params, tensor, begin, end); });
  });
  return {};
}

}  // namespace

void fill_rmsprop(RmspropKernels& kernels) {
  kernels = {rmsprop_step};
}

}  // namespace fastdl::FASTDL_ISA
