#include "ops/adaptive_avg_pool2d/adaptive_avg_pool2d.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"

namespace fastdl::adaptive_avg_pool2d_bindings {
namespace {

constexpr const char* op = "adaptive_avg_pool2d";

py::array forward(py::handle x_object, const OutputSize& output_size) {
  const ImageView x = image_array(op, "input", x_object);
  const PoolingGeometry g = adaptive_avg_pool2d_geometry(x.shape(), x.dtype(), output_size, x.format());
  const BackendTable& backend = host_backend();
  check_kernel(backend.adaptive_avg_pool2d.forward != nullptr, backend, op);
  py::array y = new_array(pooled_shape(x.shape(), g), x.dtype(), x.format());
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.adaptive_avg_pool2d.forward(launch, g, x.data(), data(y));
  });
  check_status(status, backend, op);
  return y;
}

/// grad_input has the format that `strides` give an input of that size, or without them the gradient's own.
py::array backward(py::handle grad_object, const std::vector<std::int64_t>& extents,
                   const InputStrides& strides, const OutputSize& output_size) {
  const Shape input_size = shape_argument(op, "input_size", extents);
  const ImageView grad_y = image_array(op, "grad_output", grad_object,
                                       gradient_format(op, "grad_output", grad_object, extents, strides));
  const PoolingGeometry g =
      adaptive_avg_pool2d_geometry(input_size, grad_y.dtype(), output_size, grad_y.format());
  check_shape(op, "grad_output", grad_y.shape(), pooled_shape(input_size, g), "input", input_size);
  const BackendTable& backend = host_backend();
  check_kernel(backend.adaptive_avg_pool2d.backward != nullptr, backend, op);
  py::array grad_x = new_array(input_size, grad_y.dtype(), grad_y.format());
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.adaptive_avg_pool2d.backward(launch, g, grad_y.data(), data(grad_x));
  });
  check_status(status, backend, op);
  return grad_x;
}

}  // namespace
}  // namespace fastdl::adaptive_avg_pool2d_bindings

namespace fastdl {
void bind_adaptive_avg_pool2d(py::module_& module) {
  using namespace adaptive_avg_pool2d_bindings;
  module.def("adaptive_avg_pool2d_forward", &forward);
  module.def("adaptive_avg_pool2d_backward", &backward);
}
}  // namespace fastdl
