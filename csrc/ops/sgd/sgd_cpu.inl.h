#include "ops/sgd/sgd.h"
#include "primitives/multi_tensor.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
void sgd_range(const SgdParams& params, const SgdTensor& tensor, std::int64_t begin, std::int64_t end) {
  auto* param = static_cast<T*>(tensor.param);
  const auto* grad = static_cast<const T*>(tensor.grad);
  auto* buffer = static_cast<T*>(tensor.momentum_buffer);
  const bool first_step = tensor.first_step, nesterov = params.nesterov;
  // A decay of zero is none: zero times an infinite parameter would be NaN.
  const bool l2 = params.weight_decay != 0;
  const T sign = params.maximize ? T(-1) : T(1);
  const Vec<T> decay = broadcast(static_cast<T>(params.weight_decay));
  const Vec<T> momentum = broadcast(static_cast<T>(params.momentum));
  const Vec<T> share = broadcast(static_cast<T>(1.0 - params.dampening));
  const Vec<T> lr = broadcast(static_cast<T>(-params.lr));
  for_each_vector<T>(begin, end, [&](auto vector, std::int64_t i) {
    const Vec<T> p = vector.load(param + i);
    Vec<T> g = sign * vector.load(grad + i);
    if (l2) g = fma(decay, p, g);
    if (buffer) {
      const Vec<T> buf = first_step ? g : fma(share, g, momentum * vector.load(buffer + i));
      vector.store(buffer + i, buf);
      g = nesterov ? fma(momentum, buf, g) : buf;
    }
    vector.store(param + i, fma(lr, g, p));
  });
}

Status sgd_step(const Launch&, const SgdParams& params, const SgdTensor* tensors, std::int64_t count) {
  for_each_range(tensors, count, [&](const SgdTensor& tensor, std::int64_t begin, std::int64_t end) {
    with_type(tensor.dtype, [&]<class T>(T) { sgd_range<T>(params, tensor, begin, end); });
  });
  return {};
}

}  // namespace

void fill_sgd(SgdKernels& kernels) {
  kernels = {sgd_step};
}

}  // namespace fastdl::FASTDL_ISA
