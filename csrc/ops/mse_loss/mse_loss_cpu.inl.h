#include "ops/mse_loss/mse_loss.h"
#include "primitives/elementwise_loss.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

std::size_t mse_loss_workspace_bytes(const MseLossParams& params) {
  return elementwise_loss_workspace_bytes(params);
}

template <class T>
void mse_forward(const Launch& launch, const MseLossParams& params, const T* input, const T* target,
                 T* loss) {
  elementwise_loss(launch, params, loss, [&](std::int64_t, std::int64_t, const auto& each) {
    each([&](auto vector, std::int64_t i) {
      const Vec<T> difference = vector.load(input + i) - vector.load(target + i);
      return difference * difference;
    });
  });
}

template <class T>
void mse_backward(const MseLossParams& params, const T* grad_loss, const T* input, const T* target,
                  T* grad_input, T* grad_target) {
  elementwise_loss_backward(params, grad_loss, [&](std::int64_t, std::int64_t, const auto& each) {
    each([&](auto vector, std::int64_t i, Vec<T> g) {
      const Vec<T> grad = T(2) * g * (vector.load(input + i) - vector.load(target + i));
      if (grad_input) vector.store(grad_input + i, grad);
      if (grad_target) vector.store(grad_target + i, -grad);
    });
  });
}

Status mse_loss_forward(const Launch& launch, const MseLossParams& params, const void* input,
                        const void* target, void* loss) {
  with_type(params.dtype, [&]<class T>(T) {
    mse_forward(launch, params, static_cast<const T*>(input), static_cast<const T*>(target),
                static_cast<T*>(loss));
  });
  return {};
}

Status mse_loss_backward(const Launch&, const MseLossParams& params, const void* grad_loss, const void* input,
                         const void* target, void* grad_input, void* grad_target) {
  with_type(params.dtype, [&]<class T>(T) {
    mse_backward(params, static_cast<const T*>(grad_loss), static_cast<const T*>(input),
                 static_cast<const T*>(target), static_cast<T*>(grad_input), static_cast<T*>(grad_target));
  });
  return {};
}

}  // namespace

void fill_mse_loss(MseLossKernels& kernels) {
  kernels = {mse_loss_workspace_bytes, mse_loss_forward, mse_loss_backward};
}

}  // namespace fastdl::FASTDL_ISA
