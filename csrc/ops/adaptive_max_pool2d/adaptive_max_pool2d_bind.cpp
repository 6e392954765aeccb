#include "ops/adaptive_max_pool2d/adaptive_max_pool2d.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"

namespace fastdl::adaptive_max_pool2d_bindings {
namespace {

constexpr const char* op = "adaptive_max_pool2d";

/// Indices or taps are None where not asked for.
py::tuple forward(py::handle x_object, const OutputSize& output_size, bool needs_indices, bool needs_taps) {
  const ImageView x = image_array(op, "input", x_object);
  const PoolingGeometry g = adaptive_max_pool2d_geometry(x.shape(), x.dtype(), output_size, x.format());
  const BackendTable& backend = host_backend();
  check_kernel(backend.adaptive_max_pool2d.forward != nullptr, backend, op);
  const Shape shape = pooled_shape(x.shape(), g);
  py::array y = new_array(shape, g.dtype, g.format);
  py::object indices = new_array_if(needs_indices, shape, DType::int64, g.format);
  py::object taps = new_array_if(needs_taps && !needs_indices, shape, tap_dtype(g), g.format);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.adaptive_max_pool2d.forward(launch, g, x.data(), data(y), data(indices), data(taps));
  });
  check_status(status, backend, op);
  return py::make_tuple(y, needs_indices ? indices : taps);
}

/// What backward wants but the indices or taps.
struct Gradient {
  ImageView grad_y;
  Shape input_size, shape;
  PoolingGeometry geometry;
};

Gradient gradient(py::handle grad_object, MemoryFormat format, const std::vector<std::int64_t>& extents,
                  const OutputSize& output_size) {
  const ImageView grad_y = image_array(op, "grad_output", grad_object, format);
  const Shape input_size = shape_argument(op, "input_size", extents);
  const PoolingGeometry g =
      adaptive_max_pool2d_geometry(input_size, grad_y.dtype(), output_size, grad_y.format());
  const Shape shape = pooled_shape(input_size, g);
  check_shape(op, "grad_output", grad_y.shape(), shape, "input", input_size);
  return {grad_y, input_size, shape, g};
}

/// grad_input has the format that `strides` give an input of that size, or without them the indices' own.
py::array backward(py::handle grad_object, py::handle indices_object,
                   const std::vector<std::int64_t>& extents, const InputStrides& strides,
                   const OutputSize& output_size) {
  const MemoryFormat format = gradient_format(op, "indices", indices_object, extents, strides);
  const auto [grad_y, input_size, shape, g] = gradient(grad_object, format, extents, output_size);
  const ArrayView indices = index_array(op, "indices", indices_object, g.format);
  check_shape(op, "indices", indices.shape(), shape, "input", input_size);
  const BackendTable& backend = host_backend();
  check_kernel(backend.adaptive_max_pool2d.backward != nullptr, backend, op);
  py::array grad_x = new_array(input_size, g.dtype, g.format);
  const Status status = run_kernel(0, [&, &grad = grad_y, &geometry = g](const Launch& launch) {
    return backend.adaptive_max_pool2d.backward(launch, geometry, grad.data(), indices.data(), data(grad_x));
  });
  check_status(status, backend, op, "indices", g.input_plane());
  return grad_x;
}

/// The same with the taps of a forward with that input.
py::array taps_backward(py::handle grad_object, py::handle taps_object,
                        const std::vector<std::int64_t>& extents, const InputStrides& strides,
                        const OutputSize& output_size) {
  const MemoryFormat format = gradient_format(op, "taps", taps_object, extents, strides);
  const ArrayView taps = image_array(op, "taps", taps_object, format);
  const auto [grad_y, input_size, shape, g] = gradient(grad_object, format, extents, output_size);
  check_shape(op, "taps", taps.shape(), shape, "input", input_size);
  check_same_dtype(op, "taps", taps.dtype(), tap_dtype(g));
  const BackendTable& backend = host_backend();
  check_kernel(backend.adaptive_max_pool2d.taps_backward != nullptr, backend, op);
  py::array grad_x = new_array(input_size, g.dtype, g.format);
  const Status status = run_kernel(0, [&, &grad = grad_y, &geometry = g](const Launch& launch) {
    return backend.adaptive_max_pool2d.taps_backward(launch, geometry, grad.data(), taps.data(),
                                                     data(grad_x));
  });
  check_status(status, backend, op);
  return grad_x;
}

}  // namespace
}  // namespace fastdl::adaptive_max_pool2d_bindings

namespace fastdl {
void bind_adaptive_max_pool2d(py::module_& module) {
  using namespace adaptive_max_pool2d_bindings;
  module.def("adaptive_max_pool2d_forward", &forward);
  module.def("adaptive_max_pool2d_backward", &backward);
  module.def("adaptive_max_pool2d_taps_backward", &taps_backward);
}
}  // namespace fastdl
