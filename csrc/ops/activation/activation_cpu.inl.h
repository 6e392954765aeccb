#include "ops/activation/activation.h"
#include "primitives/activation.inl.h"
#include "primitives/elementwise.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
void activate(const ActivationParams& params, const T* x, T* y) {
  with_formula<T>(params.activation,
                  [&](const auto& formula) { elementwise(params.elements, y, formula, x); });
}

// Where x is NaN, relu passes the gradient on and leaky_relu scales it, as in PyTorch.
template <class T>
void differentiate(const ActivationParams& params, const T* grad_y, const T* saved, T* grad_x) {
  using V = Vec<T>;
  const std::int64_t count = params.elements;
  const T slope = static_cast<T>(params.activation.negative_slope);
  switch (params.activation.kind) {
    case ActivationKind::none:
      return elementwise(count, grad_x, [](V g) { return g; }, grad_y);
    case ActivationKind::relu:
      return elementwise(count, grad_x, [](V g, V y) { return select(y <= T(0), V{}, g); }, grad_y, saved);
    case ActivationKind::leaky_relu:
      return elementwise(
          count, grad_x, [=](V g, V x) { return select(x > T(0), g, slope * g); }, grad_y, saved);
    case ActivationKind::sigmoid:
      return elementwise(count, grad_x, [](V g, V y) { return g * ((T(1) - y) * y); }, grad_y, saved);
    case ActivationKind::tanh:
      return elementwise(count, grad_x, [](V g, V y) { return g * (T(1) - y * y); }, grad_y, saved);
  }
}

Status activation_forward(const Launch&, const ActivationParams& params, const void* input, void* output) {
  with_type(params.dtype,
            [&]<class T>(T) { activate(params, static_cast<const T*>(input), static_cast<T*>(output)); });
  return {};
}

Status activation_backward(const Launch&, const ActivationParams& params, const void* grad_output,
                           const void* saved, void* grad_input) {
  with_type(params.dtype, [&]<class T>(T) {
    differentiate(params, static_cast<const T*>(grad_output), static_cast<const T*>(saved),
                  static_cast<T*>(grad_input));
  });
  return {};
}

}  // namespace

void fill_activation(ActivationKernels& kernels) {
  kernels = {activation_forward, activation_backward};
}

}  // namespace fastdl::FASTDL_ISA
