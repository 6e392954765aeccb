#include "ops/softmax/softmax.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::softmax_bindings {
namespace {

template <bool log>
constexpr const char* op = log ? "log_softmax" : "softmax";

template <bool log>
py::array forward(py::handle input, int dim) {
  const ArrayView x = input_array(op<log>, "input", input);
  const SoftmaxParams params = softmax_params(log, x.shape(), x.dtype(), dim);
  const BackendTable& backend = host_backend();
  check_kernel(backend.softmax.forward != nullptr, backend, op<log>);
  py::array y = new_array(x.shape(), params.dtype);
  const Status status = run_kernel(
      0, [&](const Launch& launch) { return backend.softmax.forward(launch, params, x.data(), data(y)); });
  check_status(status, backend, op<log>);
  return y;
}

template <bool log>
py::array backward(py::handle grad_output, py::handle output, int dim) {
  const ArrayView y = input_array(op<log>, "output", output);
  const SoftmaxParams params = softmax_params(log, y.shape(), y.dtype(), dim);
  const ArrayView grad_y = gradient_array(op<log>, "grad_output", grad_output, y.shape(), params.dtype);
  const BackendTable& backend = host_backend();
  check_kernel(backend.softmax.backward != nullptr, backend, op<log>);
  py::array grad_x = new_array(y.shape(), params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.softmax.backward(launch, params, grad_y.data(), y.data(), data(grad_x));
  });
  check_status(status, backend, op<log>);
  return grad_x;
}

}  // namespace
}  // namespace fastdl::softmax_bindings

namespace fastdl {
void bind_softmax(py::module_& module) {
  using namespace softmax_bindings;
  module.def("softmax_forward", &forward<false>);
  module.def("softmax_backward", &backward<false>);
  module.def("log_softmax_forward", &forward<true>);
  module.def("log_softmax_backward", &backward<true>);
}
}  // namespace fastdl
