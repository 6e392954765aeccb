#include "backends/backends.h"
#include "core/array_bridge.h"
#include "ops/binary_cross_entropy_with_logits/binary_cross_entropy_with_logits.h"

namespace fastdl::binary_cross_entropy_with_logits_bindings {
namespace {

constexpr const char* op = "binary_cross_entropy_with_logits";

/// The operands that forward and backward share.
struct Operands {
  ArrayView input, target, weight, pos_weight;
  BinaryCrossEntropyWithLogitsParams params;

  Operands(py::handle input_object, py::handle target_object, py::handle weight_object,
           py::handle pos_weight_object, const std::string& reduction)
      : input(input_array(op, "input", input_object)),
        target(input_array(op, "target", target_object)),
        weight(optional_array(op, "weight", weight_object)),
        pos_weight(optional_array(op, "pos_weight", pos_weight_object)),
        params(binary_cross_entropy_with_logits_params(
            input.shape(), input.dtype(), target.shape(), target.dtype(), weight.shape_or_null(),
            weight.dtype(), pos_weight.shape_or_null(), pos_weight.dtype(), reduction)) {}

  Shape loss() const { return params.reduction == Reduction::none ? input.shape() : Shape{}; }
};

py::array forward(py::handle input, py::handle target, py::handle weight, py::handle pos_weight,
                  const std::string& reduction) {
  const Operands operands(input, target, weight, pos_weight, reduction);
  const BinaryCrossEntropyWithLogitsParams& params = operands.params;
  const auto& backend = host_backend();
  const BinaryCrossEntropyWithLogitsKernels& kernels = backend.binary_cross_entropy_with_logits;
  check_kernel(kernels.forward != nullptr, backend, op);
  py::array loss = new_array(operands.loss(), params.dtype);
  const Status status = run_kernel(kernels.workspace_bytes(params), [&](const Launch& launch) {
    return kernels.forward(launch, params, operands.input.data(), operands.target.data(),
                           operands.weight.data(), operands.pos_weight.data(), data(loss));
  });
  check_status(status, backend, op);
  return loss;
}

py::tuple backward(py::handle grad_loss, py::handle input, py::handle target, py::handle weight,
                   py::handle pos_weight, const std::string& reduction, bool needs_input, bool needs_target) {
  const Operands operands(input, target, weight, pos_weight, reduction);
  const BinaryCrossEntropyWithLogitsParams& params = operands.params;
  const auto& backend = host_backend();
  const BinaryCrossEntropyWithLogitsKernels& kernels = backend.binary_cross_entropy_with_logits;
  check_kernel(kernels.backward != nullptr, backend, op);
  const ArrayView grad = gradient_array(op, "grad_output", grad_loss, operands.loss(), params.dtype);
  py::object grad_input = new_array_if(needs_input, operands.input.shape(), params.dtype);
  py::object grad_target = new_array_if(needs_target, operands.input.shape(), params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return kernels.backward(launch, params, grad.data(), operands.input.data(), operands.target.data(),
                            operands.weight.data(), operands.pos_weight.data(), data(grad_input),
                            data(grad_target));
  });
  check_status(status, backend, op);
  return py::make_tuple(grad_input, grad_target);
}

}  // namespace
}  // namespace fastdl::binary_cross_entropy_with_logits_bindings

namespace fastdl {
void bind_binary_cross_entropy_with_logits(py::module_& module) {
  using namespace binary_cross_entropy_with_logits_bindings;
  module.def("binary_cross_entropy_with_logits_forward", &forward);
  module.def("binary_cross_entropy_with_logits_backward", &backward);
}
}  // namespace fastdl
