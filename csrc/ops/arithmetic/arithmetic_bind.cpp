#include "ops/arithmetic/arithmetic.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::arithmetic_bindings {
namespace {

constexpr const char* op = "arithmetic";

/// Whether two arrays have bytes in common, unless they are element by element the same.
bool overlap_otherwise(const StridedView& output, const StridedView& operand) {
  const auto same = [](const StridedView& a, const StridedView& b) {
    return a.data() == b.data() && a.shape() == b.shape() && a.strides() == b.strides();
  };
  if (same(output, operand)) return false;
  const auto bounds = [](const StridedView& view) {
    std::int64_t low = 0, high = 1;
    for (int axis = 0; axis < view.shape().size(); ++axis) {
      const std::int64_t reach = view.strides()[axis] * (view.shape()[axis] - 1);
      (reach < 0 ? low : high) += reach;
    }
    const auto* const first = static_cast<const char*>(view.data());
    const auto size = static_cast<std::int64_t>(item_size(view.dtype()));
    return std::pair(first + low * size, first + high * size);
  };
  const auto [begin, end] = bounds(output);
  const auto [other_begin, other_end] = bounds(operand);
  return begin < other_end && other_begin < end;
}

bool plain(py::handle object) {
  return py::isinstance<py::array>(object) &&
         (py::detail::array_proxy(object.ptr())->flags & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
}

bool has_kernel(py::handle object) {
  const py::dtype dtype = py::reinterpret_borrow<py::array>(object).dtype();
  return dtype.kind() == 'f' && dtype.byteorder() != '>' && (dtype.itemsize() == 4 || dtype.itemsize() == 8);
}

/// Writes to `output` and answers true, or touches nothing and answers false where NumPy must do it: dtypes
/// that differ or are not float32 or float64, misaligned or read-only arrays, shapes and strides that
/// arithmetic_params does not take, operands that overlap the output.
bool run(int operation, py::handle output_object, py::handle x_object, py::handle y_object) {
  const bool unary = y_object.is_none();
  if (!plain(output_object) || !plain(x_object) || !(unary || plain(y_object))) return false;
  if (!has_kernel(output_object) || !has_kernel(x_object) || !(unary || has_kernel(y_object))) return false;
  if (!py::reinterpret_borrow<py::array>(output_object).writeable()) return false;
  const StridedView output = strided_array(op, "output", output_object);
  const StridedView x = strided_array(op, "x", x_object);
  const StridedView y = unary ? x : strided_array(op, "y", y_object);
  if (x.dtype() != output.dtype() || y.dtype() != output.dtype()) return false;
  if (overlap_otherwise(output, x) || overlap_otherwise(output, y)) return false;
  const Layout y_layout{y.shape(), y.strides()};
  ArithmeticParams params;
  if (!arithmetic_params(static_cast<Arithmetic>(operation), output.dtype(),
                         {output.shape(), output.strides()}, {x.shape(), x.strides()},
                         unary ? nullptr : &y_layout, params))
    return false;
  const BackendTable& backend = host_backend();
  if (backend.arithmetic.run == nullptr) return false;
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.arithmetic.run(launch, params, x.data(), unary ? nullptr : y.data(), output.data());
  });
  check_status(status, backend, op);
  return true;
}

}  // namespace
}  // namespace fastdl::arithmetic_bindings

namespace fastdl {
void bind_arithmetic(py::module_& module) {
  module.def("arithmetic", &arithmetic_bindings::run, py::arg("operation"), py::arg("output"), py::arg("x"),
             py::arg("y") = py::none());
}
}  // namespace fastdl
