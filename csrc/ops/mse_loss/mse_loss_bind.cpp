#include "ops/mse_loss/mse_loss.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::mse_loss_bindings {
namespace {

constexpr const char* op = "mse_loss";

/// The operands that forward and backward share.
struct Operands {
  ArrayView input, target;
  MseLossParams params;

  Operands(py::handle input_object, py::handle target_object, const std::string& reduction)
      : input(input_array(op, "input", input_object)),
        target(input_array(op, "target", target_object)),
        params(mse_loss_params(input.shape(), input.dtype(), target.shape(), target.dtype(), reduction)) {}

  Shape loss() const { return params.reduction == Reduction::none ? input.shape() : Shape{}; }
};

py::array forward(py::handle input, py::handle target, const std::string& reduction) {
  const Operands operands(input, target, reduction);
  const MseLossParams& params = operands.params;
  const BackendTable& backend = host_backend();
  check_kernel(backend.mse_loss.forward != nullptr, backend, op);
  py::array loss = new_array(operands.loss(), params.dtype);
  const Status status = run_kernel(backend.mse_loss.workspace_bytes(params), [&](const Launch& launch) {
    return backend.mse_loss.forward(launch, params, operands.input.data(), operands.target.data(),
                                    data(loss));
  });
  check_status(status, backend, op);
  return loss;
}

py::tuple backward(py::handle grad_loss, py::handle input, py::handle target, const std::string& reduction,
                   bool needs_input, bool needs_target) {
  const Operands operands(input, target, reduction);
  const MseLossParams& params = operands.params;
  const BackendTable& backend = host_backend();
  check_kernel(backend.mse_loss.backward != nullptr, backend, op);
  const ArrayView grad = gradient_array(op, "grad_output", grad_loss, operands.loss(), params.dtype);
  py::object grad_input = new_array_if(needs_input, operands.input.shape(), params.dtype);
  py::object grad_target = new_array_if(needs_target, operands.input.shape(), params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.mse_loss.backward(launch, params, grad.data(), operands.input.data(),
                                     operands.target.data(), data(grad_input), data(grad_target));
  });
  check_status(status, backend, op);
  return py::make_tuple(grad_input, grad_target);
}

}  // namespace
}  // namespace fastdl::mse_loss_bindings

namespace fastdl {
void bind_mse_loss(py::module_& module) {
  using namespace mse_loss_bindings;
  module.def("mse_loss_forward", &forward);
  module.def("mse_loss_backward", &backward);
}
}  // namespace fastdl
