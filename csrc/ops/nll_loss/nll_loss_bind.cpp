#include "ops/nll_loss/nll_loss.h"

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "primitives/class_targets.h"

namespace fastdl::nll_loss_bindings {
namespace {

constexpr const char* op = "nll_loss";

/// The operands that forward and backward share.
struct Operands {
  ArrayView input, target, weight;
  NllLossParams params;

  Operands(py::handle input_object, py::handle target_object, py::handle weight_object,
           std::int64_t ignore_index, const std::string& reduction)
      : input(input_array(op, "input", input_object)),
        target(index_array(op, "target", target_object)),
        weight(optional_array(op, "weight", weight_object)),
        params(nll_loss_params(input.shape(), input.dtype(), target.shape(), weight.shape_or_null(),
                               weight.dtype(), ignore_index, reduction)) {}

  Shape loss() const { return params.reduction == Reduction::none ? target.shape() : Shape{}; }
};

py::tuple forward(py::handle input, py::handle target, py::handle weight, std::int64_t ignore_index,
                  const std::string& reduction) {
  const Operands operands(input, target, weight, ignore_index, reduction);
  const NllLossParams& params = operands.params;
  const BackendTable& backend = host_backend();
  check_kernel(backend.nll_loss.forward != nullptr, backend, op);
  py::array loss = new_array(operands.loss(), params.dtype);
  py::array total_weight = new_array(Shape{}, params.dtype);
  const Status status = run_kernel(backend.nll_loss.workspace_bytes(params), [&](const Launch& launch) {
    return backend.nll_loss.forward(launch, params, operands.input.data(), operands.target.data(),
                                    operands.weight.data(), data(loss), data(total_weight));
  });
  check_status(status, backend, op, "target", params.classes);
  return py::make_tuple(loss, total_weight);
}

py::array backward(py::handle grad_loss, py::handle input, py::handle target, py::handle weight,
                   py::handle total_weight, std::int64_t ignore_index, const std::string& reduction) {
  const Operands operands(input, target, weight, ignore_index, reduction);
  const NllLossParams& params = operands.params;
  const BackendTable& backend = host_backend();
  check_kernel(backend.nll_loss.backward != nullptr, backend, op);
  const ArrayView grad = gradient_array(op, "grad_output", grad_loss, operands.loss(), params.dtype);
  const ArrayView total = gradient_array(op, "total_weight", total_weight, Shape{}, params.dtype);
  py::array grad_input = new_array(operands.input.shape(), params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.nll_loss.backward(launch, params, grad.data(), operands.target.data(),
                                     operands.weight.data(), total.data(), data(grad_input));
  });
  check_status(status, backend, op, "target", params.classes);
  return grad_input;
}

}  // namespace
}  // namespace fastdl::nll_loss_bindings

namespace fastdl {
void bind_nll_loss(py::module_& module) {
  using namespace nll_loss_bindings;
  module.def("nll_loss_forward", &forward);
  module.def("nll_loss_backward", &backward);
}
}  // namespace fastdl
