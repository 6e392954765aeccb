#include "ops/avg_pool2d/avg_pool2d.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"

namespace fastdl::avg_pool2d_bindings {
namespace {

constexpr const char* op = "avg_pool2d";

py::array forward(py::handle x_object, Pair kernel_size, Pair stride, Pair padding, bool ceil_mode,
                  bool count_include_pad, std::optional<std::int64_t> divisor_override) {
  const ImageView x = image_array(op, "input", x_object);
  const AvgPool2dParams params =
      avg_pool2d_params(x.shape(), x.dtype(), kernel_size, stride, padding, ceil_mode, count_include_pad,
                        divisor_override, x.format());
  const BackendTable& backend = host_backend();
  check_kernel(backend.avg_pool2d.forward != nullptr, backend, op);
  py::array y = new_array(pooled_shape(x.shape(), params.geometry), x.dtype(), x.format());
  const Status status = run_kernel(
      0, [&](const Launch& launch) { return backend.avg_pool2d.forward(launch, params, x.data(), data(y)); });
  check_status(status, backend, op);
  return y;
}

/// grad_input has the format that `strides` give an input of that size, or without them the gradient's own.
py::array backward(py::handle grad_object, const std::vector<std::int64_t>& extents,
                   const InputStrides& strides, Pair kernel_size, Pair stride, Pair padding, bool ceil_mode,
                   bool count_include_pad, std::optional<std::int64_t> divisor_override) {
  const Shape input_size = shape_argument(op, "input_size", extents);
  const ImageView grad_y = image_array(op, "grad_output", grad_object,
                                       gradient_format(op, "grad_output", grad_object, extents, strides));
  const AvgPool2dParams params =
      avg_pool2d_params(input_size, grad_y.dtype(), kernel_size, stride, padding, ceil_mode,
                        count_include_pad, divisor_override, grad_y.format());
  check_shape(op, "grad_output", grad_y.shape(), pooled_shape(input_size, params.geometry), "input",
              input_size);
  const BackendTable& backend = host_backend();
  check_kernel(backend.avg_pool2d.backward != nullptr, backend, op);
  py::array grad_x = new_array(input_size, grad_y.dtype(), grad_y.format());
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.avg_pool2d.backward(launch, params, grad_y.data(), data(grad_x));
  });
  check_status(status, backend, op);
  return grad_x;
}

}  // namespace
}  // namespace fastdl::avg_pool2d_bindings

namespace fastdl {
void bind_avg_pool2d(py::module_& module) {
  using namespace avg_pool2d_bindings;
  module.def("avg_pool2d_forward", &forward);
  module.def("avg_pool2d_backward", &backward);
}
}  // namespace fastdl
