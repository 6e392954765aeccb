#include "ops/square_sum/square_sum.h"

#include "backends/backends.h"
#include "core/array_lists.h"

namespace fastdl::square_sum_bindings {
namespace {

constexpr const char* op = "square_sum";

double run(py::handle arrays) {
  ArrayLists lists(op, {{"arrays", arrays, ArrayList::read}});
  std::vector<SquareSumTensor> tensors(lists.size());
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    static_cast<ListedTensor&>(tensors[i]) = {lists.dtype(i), lists.begin(i), lists.numel(i)};
    tensors[i].values = lists.data(0, i);
    elements += lists.numel(i);
  }
  const BackendTable& backend = host_backend();
  check_kernel(backend.square_sum.run != nullptr, backend, op);
  const std::size_t bytes = static_cast<std::size_t>(square_sum_chunks(elements)) * sizeof(double);
  double total = 0;
  const Status status = run_kernel(bytes, [&](const Launch& launch) {
    return backend.square_sum.run(launch, tensors.data(), static_cast<std::int64_t>(tensors.size()), &total);
  });
  check_status(status, backend, op);
  return total;
}

}  // namespace
}  // namespace fastdl::square_sum_bindings

namespace fastdl {
void bind_square_sum(py::module_& module) {
  module.def("square_sum", &square_sum_bindings::run);
}
}  // namespace fastdl
