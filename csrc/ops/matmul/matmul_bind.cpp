#include "ops/matmul/matmul.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::matmul_bindings {
namespace {

constexpr const char* op = "matmul";

py::array forward(py::handle input_object, py::handle other_object) {
  StridedView input = strided_array(op, "input", input_object);
  const StridedView other = strided_array(op, "other", other_object);
  if (matmul_folds(input.shape(), other.shape()) &&
      !has_common_stride(input.shape(), input.strides(), input.shape().size() - 1))
    input = input.contiguous();
  const MatmulParams params = matmul_params(input.shape(), input.strides(), input.dtype(), other.shape(),
                                            other.strides(), other.dtype());
  const BackendTable& backend = host_backend();
  check_kernel(backend.matmul.forward != nullptr, backend, op);
  py::array output = new_array(matmul_output_shape(input.shape(), other.shape()), params.dtype);
  const Status status = run_kernel(backend.matmul.workspace_bytes(params), [&](const Launch& launch) {
    return backend.matmul.forward(launch, params, input.data(), other.data(), data(output));
  });
  check_status(status, backend, op);
  return output;
}

}  // namespace
}  // namespace fastdl::matmul_bindings

namespace fastdl {
void bind_matmul(py::module_& module) {
  using namespace matmul_bindings;
  module.def("matmul_forward", &forward);
}
}  // namespace fastdl
