#include "ops/sgd/sgd.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_lists.h"

namespace fastdl::sgd_bindings {
namespace {

constexpr const char* op = "sgd_step";

void step(py::handle params, py::handle grads, py::handle momentum_buffers,
          const std::vector<bool>& first_steps, double lr, double momentum, double dampening,
          double weight_decay, bool nesterov, bool maximize) {
  const SgdParams hyper{lr, momentum, dampening, weight_decay, nesterov, maximize};
  check_sgd(hyper);
  const bool buffered = momentum != 0;
  ArrayLists lists(
      op, {{"params", params, ArrayList::written},
           {"grads", grads, ArrayList::read},
           {"momentum_buffers", momentum_buffers, buffered ? ArrayList::written : ArrayList::unused}});
  if (buffered) lists.check_length("first_steps", first_steps.size());
  std::vector<SgdTensor> tensors(lists.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    SgdTensor& tensor = tensors[i];
    static_cast<ListedTensor&>(tensor) = {lists.dtype(i), lists.begin(i), lists.numel(i)};
    tensor.param = lists.data(0, i);
    tensor.grad = lists.data(1, i);
    tensor.momentum_buffer = lists.data(2, i);
    tensor.first_step = buffered && first_steps[i];
  }
  const BackendTable& backend = host_backend();
  check_kernel(backend.sgd.step != nullptr, backend, op);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.sgd.step(launch, hyper, tensors.data(), static_cast<std::int64_t>(tensors.size()));
  });
  check_status(status, backend, op);
  lists.finish();
}

}  // namespace
}  // namespace fastdl::sgd_bindings

namespace fastdl {
void bind_sgd(py::module_& module) {
  module.def("sgd_step", &sgd_bindings::step);
}
}  // namespace fastdl
