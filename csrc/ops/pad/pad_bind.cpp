#include "ops/pad/pad.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"
#include "core/error.h"

namespace fastdl::pad_bindings {
namespace {

constexpr const char* op = "pad";

std::uint64_t value_bits(DType dtype, py::handle value) {
  if (value.is_none()) return 0;
  if (!PyNumber_Check(value.ptr()))
    throw TypeError(concat("[pad] value: expected a number or None, got ",
                           std::string(py::str(py::type::of(value).attr("__name__")))));
  const auto number = py::reinterpret_borrow<py::object>(value);
  if (is_floating(dtype)) return pad_value(dtype, static_cast<double>(py::float_(number)));
  const py::int_ whole(number);
  const long long converted = PyLong_AsLongLong(whole.ptr());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    throw ValueError(concat("[pad] value: expected one that ", name(dtype), " can hold, got ",
                            std::string(py::str(value))));
  }
  return pad_value(dtype, static_cast<std::int64_t>(converted));
}

py::array forward(py::handle x_object, const std::vector<std::int64_t>& pad, const std::string& mode,
                  py::handle value) {
  const ArrayView x = input_array(op, "input", x_object, "float32, float64, int64, int32, uint8 or bool");
  PadParams params = pad_params(x.shape(), x.dtype(), pad, mode);
  params.value = value_bits(params.dtype, value);
  const BackendTable& backend = host_backend();
  check_kernel(backend.pad.forward != nullptr, backend, op);
  py::array y = new_array(padded_shape(x.shape(), pad), params.dtype);
  const Status status = run_kernel(
      0, [&](const Launch& launch) { return backend.pad.forward(launch, params, x.data(), data(y)); });
  check_status(status, backend, op);
  return y;
}

py::array backward(py::handle grad_object, const std::vector<std::int64_t>& input_size,
                   const std::vector<std::int64_t>& pad, const std::string& mode) {
  const ArrayView grad_y = input_array(op, "grad_output", grad_object);
  check_floating(op, "grad_output", grad_y.dtype());
  const Shape shape = shape_argument(op, "input_size", input_size);
  const PadParams params = pad_params(shape, grad_y.dtype(), pad, mode);
  check_shape(op, "grad_output", grad_y.shape(), padded_shape(shape, pad), "input", shape);
  const BackendTable& backend = host_backend();
  check_kernel(backend.pad.backward != nullptr, backend, op);
  py::array grad_x = new_array(shape, params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.pad.backward(launch, params, grad_y.data(), data(grad_x));
  });
  check_status(status, backend, op);
  return grad_x;
}

}  // namespace
}  // namespace fastdl::pad_bindings

namespace fastdl {
void bind_pad(py::module_& module) {
  using namespace pad_bindings;
  module.def("pad_forward", &forward);
  module.def("pad_backward", &backward);
}
}  // namespace fastdl
