#include "ops/linear/linear.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::linear_bindings {
namespace {

constexpr const char* op = "linear";

py::array forward(const Activation& activation, py::handle x_object, py::handle weight_object,
                  py::handle bias_object) {
  const ArrayView x = input_or_bfloat16_array(op, "input", x_object);
  const ArrayView weight = input_or_bfloat16_array(op, "weight", weight_object);
  const ArrayView bias = optional_or_bfloat16_array(op, "bias", bias_object);
  const LinearParams params =
      linear_params(x.shape(), x.dtype(), weight.shape(), weight.dtype(), bias.shape_or_null(), bias.dtype());
  check_activation(op, activation, params.dtype);
  const BackendTable& backend = host_backend();
  check_kernel(backend.linear.forward != nullptr, backend, op);
  check_kernel_dtype(params.dtype, backend, op);
  py::array y = new_array(linear_output_shape(x.shape(), weight.shape()), params.dtype);
  const Status status = run_kernel(backend.linear.forward_workspace_bytes(params), [&](const Launch& launch) {
    return backend.linear.forward(launch, params, activation, x.data(), weight.data(), bias.data(), data(y));
  });
  check_status(status, backend, op);
  return y;
}

py::tuple backward(py::handle grad_object, py::handle x_object, py::handle weight_object, bool needs_input,
                   bool needs_weight, bool needs_bias) {
  const ArrayView x = input_or_bfloat16_array(op, "input", x_object);
  const ArrayView weight = input_or_bfloat16_array(op, "weight", weight_object);
  const LinearParams params =
      linear_params(x.shape(), x.dtype(), weight.shape(), weight.dtype(), nullptr, x.dtype());
  const ArrayView grad_y = gradient_array(op, "grad_output", grad_object,
                                          linear_output_shape(x.shape(), weight.shape()), params.dtype);
  const BackendTable& backend = host_backend();
  const LinearKernels& kernels = backend.linear;
  check_kernel(kernels.backward_input != nullptr, backend, op);
  check_kernel_dtype(params.dtype, backend, op);
  py::object grad_x = new_array_if(needs_input, x.shape(), params.dtype);
  py::object grad_weight = new_array_if(needs_weight, weight.shape(), params.dtype);
  py::object grad_bias = new_array_if(needs_bias, linear_bias_shape(weight.shape()), params.dtype);
  const auto run = [&](const py::object& output, std::size_t (*workspace_bytes)(const LinearParams&),
                       auto kernel) {
    if (!output.is_none()) check_status(run_kernel(workspace_bytes(params), kernel), backend, op);
  };
  run(grad_x, kernels.backward_input_workspace_bytes, [&](const Launch& launch) {
    return kernels.backward_input(launch, params, grad_y.data(), weight.data(), data(grad_x));
  });
  run(grad_weight, kernels.backward_weight_workspace_bytes, [&](const Launch& launch) {
    return kernels.backward_weight(launch, params, grad_y.data(), x.data(), data(grad_weight));
  });
  run(grad_bias, kernels.backward_bias_workspace_bytes, [&](const Launch& launch) {
    return kernels.backward_bias(launch, params, grad_y.data(), data(grad_bias));
  });
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

}  // namespace
}  // namespace fastdl::linear_bindings

namespace fastdl {
void bind_linear(py::module_& module) {
  using namespace linear_bindings;
  bind_activated(module, "linear_forward", "linear_activated_forward", &forward);
  module.def("linear_backward", &backward);
}
}  // namespace fastdl
