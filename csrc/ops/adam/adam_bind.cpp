#include "ops/adam/adam.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_lists.h"

namespace fastdl::adam_bindings {
namespace {

constexpr const char* op = "adam_step";

void step(py::handle params, py::handle grads, py::handle exp_avgs, py::handle exp_avg_sqs,
          py::handle max_exp_avg_sqs, const std::vector<std::int64_t>& steps, double lr, double beta1,
          double beta2, double eps, double weight_decay, bool amsgrad, bool maximize,
          bool decoupled_weight_decay) {
  const AdamParams hyper{lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay};
  check_adam(hyper);
  ArrayLists lists(op,
                   {{"params", params, ArrayList::written},
                    {"grads", grads, ArrayList::read},
                    {"exp_avgs", exp_avgs, ArrayList::written},
                    {"exp_avg_sqs", exp_avg_sqs, ArrayList::written},
                    {"max_exp_avg_sqs", max_exp_avg_sqs, amsgrad ? ArrayList::written : ArrayList::unused}});
  lists.check_length("steps", steps.size());
  std::vector<AdamTensor> tensors(lists.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) set_adam_step(hyper, steps[i], tensors[i]);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    AdamTensor& tensor = tensors[i];
    static_cast<ListedTensor&>(tensor) = {lists.dtype(i), lists.begin(i), lists.numel(i)};
    tensor.param = lists.data(0, i);
    tensor.grad = lists.data(1, i);
    tensor.exp_avg = lists.data(2, i);
    tensor.exp_avg_sq = lists.data(3, i);
    tensor.max_exp_avg_sq = lists.data(4, i);
  }
  const BackendTable& backend = host_backend();
  check_kernel(backend.adam.step != nullptr, backend, op);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.adam.step(launch, hyper, tensors.data(), static_cast<std::int64_t>(tensors.size()));
  });
  check_status(status, backend, op);
  lists.finish();
}

}  // namespace
}  // namespace fastdl::adam_bindings

namespace fastdl {
void bind_adam(py::module_& module) {
  module.def("adam_step", &adam_bindings::step);
}
}  // namespace fastdl
