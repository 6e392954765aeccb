#include "ops/cross_entropy/cross_entropy.h"

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "primitives/class_targets.h"

namespace fastdl::cross_entropy_bindings {
namespace {

constexpr const char* op = "cross_entropy";

/// The operands that forward and backward share.
struct Operands {
  ArrayView input, target, weight;
  CrossEntropyParams params;

  Operands(py::handle input_object, py::handle target_object, py::handle weight_object,
           const std::string& reduction, std::int64_t ignore_index, double label_smoothing)
      : input(input_array(op, "input", input_object)),
        target(index_or_input_array(op, "target", target_object)),
        weight(optional_array(op, "weight", weight_object)),
        params(cross_entropy_params(input.shape(), input.dtype(), target.shape(), target.dtype(),
                                    weight.shape_or_null(), weight.dtype(), reduction, ignore_index,
                                    label_smoothing)) {}

  Shape loss() const {
    return params.reduction == Reduction::none ? without_classes(input.shape()) : Shape{};
  }
  Shape row_statistics() const { return Shape{2, params.rows()}; }
};

/// (loss, row_statistics, total_weight, grad_input); the last where it is wanted and comes with the loss.
py::tuple forward(py::handle input, py::handle target, py::handle weight, const std::string& reduction,
                  std::int64_t ignore_index, double label_smoothing, bool wants_gradient) {
  const Operands operands(input, target, weight, reduction, ignore_index, label_smoothing);
  const CrossEntropyParams& params = operands.params;
  const BackendTable& backend = host_backend();
  check_kernel(backend.cross_entropy.forward != nullptr, backend, op);
  py::array loss = new_array(operands.loss(), params.dtype);
  py::array row_statistics = new_array(operands.row_statistics(), params.dtype);
  py::array total_weight = new_array(Shape{}, params.dtype);
  const bool with_gradient =
      wants_gradient && backend.cross_entropy.gradient_with_loss && params.reduction != Reduction::none;
  py::object grad_input = new_array_if(with_gradient, operands.input.shape(), params.dtype);
  const Status status = run_kernel(backend.cross_entropy.workspace_bytes(params), [&](const Launch& launch) {
    return backend.cross_entropy.forward(launch, params, operands.input.data(), operands.target.data(),
                                         operands.weight.data(), data(loss), data(row_statistics),
                                         data(total_weight), data(grad_input));
  });
  check_status(status, backend, op, "target", params.classes);
  return py::make_tuple(loss, row_statistics, total_weight, grad_input);
}

py::tuple backward(py::handle grad_loss, py::handle input, py::handle target, py::handle weight,
                   py::handle row_statistics, py::handle total_weight, const std::string& reduction,
                   std::int64_t ignore_index, double label_smoothing, bool needs_input, bool needs_target) {
  const Operands operands(input, target, weight, reduction, ignore_index, label_smoothing);
  const CrossEntropyParams& params = operands.params;
  const BackendTable& backend = host_backend();
  check_kernel(backend.cross_entropy.backward != nullptr, backend, op);
  const ArrayView grad = gradient_array(op, "grad_output", grad_loss, operands.loss(), params.dtype);
  const ArrayView statistics =
      gradient_array(op, "row_statistics", row_statistics, operands.row_statistics(), params.dtype);
  const ArrayView total = gradient_array(op, "total_weight", total_weight, Shape{}, params.dtype);
  py::object grad_input = new_array_if(needs_input, operands.input.shape(), params.dtype);
  py::object grad_target =
      new_array_if(needs_target && params.probabilities, operands.input.shape(), params.dtype);
  const Status status = run_kernel(backend.cross_entropy.workspace_bytes(params), [&](const Launch& launch) {
    return backend.cross_entropy.backward(launch, params, grad.data(), operands.input.data(),
                                          operands.target.data(), operands.weight.data(), statistics.data(),
                                          total.data(), data(grad_input), data(grad_target));
  });
  check_status(status, backend, op, "target", params.classes);
  return py::make_tuple(grad_input, grad_target);
}

}  // namespace
}  // namespace fastdl::cross_entropy_bindings

namespace fastdl {
void bind_cross_entropy(py::module_& module) {
  using namespace cross_entropy_bindings;
  module.def("cross_entropy_forward", &forward);
  module.def("cross_entropy_backward", &backward);
}
}  // namespace fastdl
