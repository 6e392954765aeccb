#include "ops/binary_cross_entropy/binary_cross_entropy.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::binary_cross_entropy_bindings {
namespace {

constexpr const char* op = "binary_cross_entropy";

/// The operands that forward and backward share.
struct Operands {
  ArrayView input, target, weight;
  BinaryCrossEntropyParams params;

  Operands(py::handle input_object, py::handle target_object, py::handle weight_object,
           const std::string& reduction)
      : input(input_array(op, "input", input_object)),
        target(input_array(op, "target", target_object)),
        weight(optional_array(op, "weight", weight_object)),
        params(binary_cross_entropy_params(input.shape(), input.dtype(), target.shape(), target.dtype(),
                                           weight.shape_or_null(), weight.dtype(), reduction)) {}

  Shape loss() const { return params.reduction == Reduction::none ? input.shape() : Shape{}; }
};

py::array forward(py::handle input, py::handle target, py::handle weight, const std::string& reduction) {
  const Operands operands(input, target, weight, reduction);
  const BinaryCrossEntropyParams& params = operands.params;
  const auto& backend = host_backend();
  const BinaryCrossEntropyKernels& kernels = backend.binary_cross_entropy;
  check_kernel(kernels.forward != nullptr, backend, op);
  py::array loss = new_array(operands.loss(), params.dtype);
  const Status status = run_kernel(kernels.workspace_bytes(params), [&](const Launch& launch) {
    return kernels.forward(launch, params, operands.input.data(), operands.target.data(),
                           operands.weight.data(), data(loss));
  });
  check_status(status, backend, op, status.value == 0 ? "input" : "target");
  return loss;
}

py::tuple backward(py::handle grad_loss, py::handle input, py::handle target, py::handle weight,
                   const std::string& reduction, bool needs_input, bool needs_target) {
  const Operands operands(input, target, weight, reduction);
  const BinaryCrossEntropyParams& params = operands.params;
  const auto& backend = host_backend();
  const BinaryCrossEntropyKernels& kernels = backend.binary_cross_entropy;
  check_kernel(kernels.backward != nullptr, backend, op);
  const ArrayView grad = gradient_array(op, "grad_output", grad_loss, operands.loss(), params.dtype);
  py::object grad_input = new_array_if(needs_input, operands.input.shape(), params.dtype);
  py::object grad_target = new_array_if(needs_target, operands.input.shape(), params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return kernels.backward(launch, params, grad.data(), operands.input.data(), operands.target.data(),
                            operands.weight.data(), data(grad_input), data(grad_target));
  });
  check_status(status, backend, op);
  return py::make_tuple(grad_input, grad_target);
}

}  // namespace
}  // namespace fastdl::binary_cross_entropy_bindings

namespace fastdl {
void bind_binary_cross_entropy(py::module_& module) {
  using namespace binary_cross_entropy_bindings;
  module.def("binary_cross_entropy_forward", &forward);
  module.def("binary_cross_entropy_backward", &backward);
}
}  // namespace fastdl
