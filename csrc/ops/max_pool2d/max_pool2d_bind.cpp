#include "ops/max_pool2d/max_pool2d.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"

namespace fastdl::max_pool2d_bindings {
namespace {

constexpr const char* op = "max_pool2d";

py::tuple forward(py::handle x_object, Pair kernel_size, Pair stride, Pair padding, Pair dilation,
                  bool ceil_mode, bool needs_indices) {
  const ArrayView x = input_array(op, "input", x_object);
  const PoolingGeometry g =
      max_pool2d_geometry(x.shape(), x.dtype(), kernel_size, stride, padding, dilation, ceil_mode);
  const BackendTable& backend = host_backend();
  check_kernel(backend.max_pool2d.forward != nullptr, backend, op);
  const Shape shape = pooled_shape(x.shape(), g);
  py::array y = new_array(shape, g.dtype);
  py::object indices = new_array_if(needs_indices, shape, DType::int64);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.max_pool2d.forward(launch, g, x.data(), data(y), data(indices));
  });
  check_status(status, backend, op);
  return py::make_tuple(y, indices);
}

py::array backward(py::handle grad_object, py::handle indices_object,
                   const std::vector<std::int64_t>& extents, Pair kernel_size, Pair stride, Pair padding,
                   Pair dilation, bool ceil_mode) {
  const ArrayView grad_y = input_array(op, "grad_output", grad_object);
  const Shape input_size = shape_argument(op, "input_size", extents);
  const PoolingGeometry g =
      max_pool2d_geometry(input_size, grad_y.dtype(), kernel_size, stride, padding, dilation, ceil_mode);
  const Shape shape = pooled_shape(input_size, g);
  check_shape(op, "grad_output", grad_y.shape(), shape, "input", input_size);
  const ArrayView indices = index_array(op, "indices", indices_object);
  check_shape(op, "indices", indices.shape(), shape, "input", input_size);
  const BackendTable& backend = host_backend();
  check_kernel(backend.max_pool2d.backward != nullptr, backend, op);
  py::array grad_x = new_array(input_size, g.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.max_pool2d.backward(launch, g, grad_y.data(), indices.data(), data(grad_x));
  });
  check_status(status, backend, op, "indices", g.input_plane());
  return grad_x;
}

}  // namespace
}  // namespace fastdl::max_pool2d_bindings

namespace fastdl {
void bind_max_pool2d(py::module_& module) {
  using namespace max_pool2d_bindings;
  module.def("max_pool2d_forward", &forward);
  module.def("max_pool2d_backward", &backward);
}
}  // namespace fastdl
