#include "ops/dropout/dropout.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::dropout_bindings {
namespace {

constexpr const char* op = "dropout";

py::array forward(py::handle input, double p, std::uint64_t seed, std::uint64_t offset, bool in_place) {
  const DenseView x = dense_array(op, "input", input);
  const DropoutParams params = dropout_params(x.dtype(), x.shape().numel(), p, seed, offset);
  const BackendTable& backend = host_backend();
  check_kernel(backend.dropout.forward != nullptr, backend, op);
  const ElementwiseResult y(op, "input", input, x, in_place);
  const Status status = run_kernel(
      0, [&](const Launch& launch) { return backend.dropout.forward(launch, params, x.data(), y.data()); });
  check_status(status, backend, op);
  return y.finish();
}

}  // namespace
}  // namespace fastdl::dropout_bindings

namespace fastdl {
void bind_dropout(py::module_& module) {
  module.def("dropout_forward", &dropout_bindings::forward);
}
}  // namespace fastdl
