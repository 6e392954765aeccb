#include "ops/activation/activation.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::activation_bindings {
namespace {

template <ActivationKind kind>
py::array forward(py::handle input, bool in_place, double negative_slope) {
  constexpr auto op = kind;
  const DenseView x = dense_array(name(op), "input", input);
  const ActivationParams params = activation_params({op, negative_slope}, x.dtype(), x.shape().numel());
  const BackendTable& backend = host_backend();
  check_kernel(backend.activation.forward != nullptr, backend, name(op));
  const ElementwiseResult y(name(op), "input", input, x, in_place);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.activation.forward(launch, params, x.data(), y.data());
  });
  check_status(status, backend, name(op));
  return y.finish();
}

template <ActivationKind kind>
py::array backward(py::handle grad_output, py::handle saved_object, double negative_slope) {
  constexpr auto op = kind;
  const DenseView saved = dense_array(name(op), "input", saved_object);
  const ActivationParams params =
      activation_params({op, negative_slope}, saved.dtype(), saved.shape().numel());
  const DenseView grad_y = dense_array_like(name(op), "grad_output", grad_output, saved);
  const BackendTable& backend = host_backend();
  check_kernel(backend.activation.backward != nullptr, backend, name(op));
  py::array grad_x = new_array_like(saved);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.activation.backward(launch, params, grad_y.data(), saved.data(), data(grad_x));
  });
  check_status(status, backend, name(op));
  return grad_x;
}

template <ActivationKind kind>
void bind(py::module_& module, const char* forward_name, const char* backward_name) {
  module.def(forward_name, &forward<kind>, py::arg("input"), py::arg("in_place"),
             py::arg("negative_slope") = 0.0);
  module.def(backward_name, &backward<kind>, py::arg("grad_output"), py::arg("saved"),
             py::arg("negative_slope") = 0.0);
}

}  // namespace
}  // namespace fastdl::activation_bindings

namespace fastdl {
void bind_activation(py::module_& module) {
  using namespace activation_bindings;
  bind<ActivationKind::relu>(module, "relu_forward", "relu_backward");
  bind<ActivationKind::leaky_relu>(module, "leaky_relu_forward", "leaky_relu_backward");
  bind<ActivationKind::sigmoid>(module, "sigmoid_forward", "sigmoid_backward");
  bind<ActivationKind::tanh>(module, "tanh_forward", "tanh_backward");
}
}  // namespace fastdl
