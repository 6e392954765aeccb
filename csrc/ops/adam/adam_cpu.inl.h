#include "ops/adam/adam.h"
#include "primitives/multi_tensor.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
void adam_range(const AdamParams& params, const AdamTensor& tensor, std::int64_t begin, std::int64_t end) {
  auto* param = static_cast<T*>(tensor.param);
  const auto* grad = static_cast<const T*>(tensor.grad);
  auto* exp_avg = static_cast<T*>(tensor.exp_avg);
  auto* exp_avg_sq = static_cast<T*>(tensor.exp_avg_sq);
  auto* max_exp_avg_sq = static_cast<T*>(tensor.max_exp_avg_sq);
  // A decay of zero is none: zero times an infinite parameter would be NaN.
  const bool decoupled = params.decoupled_weight_decay && params.weight_decay != 0;
  const bool l2 = !params.decoupled_weight_decay && params.weight_decay != 0;
  const Vec<T> decay =
      broadcast(static_cast<T>(decoupled ? -params.lr * params.weight_decay : params.weight_decay));
  const T sign = params.maximize ? T(-1) : T(1);
  const T weight1 = static_cast<T>(1.0 - params.beta1), weight2 = static_cast<T>(1.0 - params.beta2);
  const T beta2 = static_cast<T>(params.beta2), eps = static_cast<T>(params.eps);
  const T step_size = static_cast<T>(tensor.step_size), bias = static_cast<T>(tensor.bias_correction2_sqrt);
  for_each_vector<T>(begin, end, [&](auto vector, std::int64_t i) {
    Vec<T> p = vector.load(param + i), g = sign * vector.load(grad + i);
    if (l2) g = fma(decay, p, g);
    if (decoupled) p = fma(decay, p, p);
    const Vec<T> m = lerp(vector.load(exp_avg + i), g, weight1);
    Vec<T> v = fma(weight2 * g, g, beta2 * vector.load(exp_avg_sq + i));
    vector.store(exp_avg + i, m);
    vector.store(exp_avg_sq + i, v);
    if (max_exp_avg_sq) {
      v = max_nan(vector.load(max_exp_avg_sq + i), v);
      vector.store(max_exp_avg_sq + i, v);
    }
    vector.store(param + i, p - step_size * m / (sqrt(v) / bias + eps));
  });
}

Status adam_step(const Launch&, const AdamParams& params, const AdamTensor* tensors, std::int64_t count) {
  for_each_range(tensors, count, [&](const AdamTensor& tensor, std::int64_t begin, std::int64_t end) {
    with_type(tensor.dtype, [&]<class T>(T) { adam_range<T>(params, tensor, begin, end); });
  });
  return {};
}

}  // namespace

void fill_adam(AdamKernels& kernels) {
  kernels = {adam_step};
}

}  // namespace fastdl::FASTDL_ISA
