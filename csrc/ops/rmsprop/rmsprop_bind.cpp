#include "ops/rmsprop/rmsprop.h"

#include "backends/backends.h"
#include "core/array_lists.h"

namespace fastdl::rmsprop_bindings {
namespace {

constexpr const char* op = "rmsprop_step";

void step(py::handle params, py::handle grads, py::handle square_avgs, py::handle grad_avgs,
          py::handle momentum_buffers, double lr, double alpha, double eps, double weight_decay,
          double momentum, bool centered, bool maximize) {
  const RmspropParams hyper{lr, alpha, eps, weight_decay, momentum, centered, maximize};
  check_rmsprop(hyper);
  ArrayLists lists(
      op, {{"params", params, ArrayList::written},
           {"grads", grads, ArrayList::read},
           {"square_avgs", square_avgs, ArrayList::written},
           {"grad_avgs", grad_avgs, centered ? ArrayList::written : ArrayList::unused},
           {"momentum_buffers", momentum_buffers, momentum != 0 ? ArrayList::written : ArrayList::unused}});
  std::vector<RmspropTensor> tensors(lists.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    RmspropTensor& tensor = tensors[i];
    static_cast<ListedTensor&>(tensor) = {lists.dtype(i), lists.begin(i), lists.numel(i)};
    tensor.param = lists.data(0, i);
    tensor.grad = lists.data(1, i);
    tensor.square_avg = lists.data(2, i);
    tensor.grad_avg = lists.data(3, i);
    tensor.momentum_buffer = lists.data(4, i);
  }
  const BackendTable& backend = host_backend();
  check_kernel(backend.rmsprop.step != nullptr, backend, op);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.rmsprop.step(launch, hyper, tensors.data(), static_cast<std::int64_t>(tensors.size()));
  });
  check_status(status, backend, op);
  lists.finish();
}

}  // namespace
}  // namespace fastdl::rmsprop_bindings

namespace fastdl {
void bind_rmsprop(py::module_& module) {
  module.def("rmsprop_step", &rmsprop_bindings::step);
}
}  // namespace fastdl
