#include "ops/embedding/embedding.h"

#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::embedding_bindings {
namespace {

constexpr const char* op = "embedding";

Shape output_shape(const Shape& indices, const EmbeddingParams& params) {
  Shape shape = indices;
  shape.push_back(params.embedding_dim);
  return shape;
}

py::array forward(py::handle indices_object, py::handle weight_object,
                  std::optional<std::int64_t> padding_idx) {
  const ArrayView indices = index_array(op, "input", indices_object);
  const ArrayView weight = input_array(op, "weight", weight_object);
  const EmbeddingParams params =
      embedding_params(indices.shape(), weight.shape(), weight.dtype(), padding_idx, false);
  const BackendTable& backend = host_backend();
  check_kernel(backend.embedding.forward != nullptr, backend, op);
  py::array y = new_array(output_shape(indices.shape(), params), params.dtype);
  const Status status = run_kernel(0, [&](const Launch& launch) {
    return backend.embedding.forward(launch, params, indices.data(), weight.data(), data(y));
  });
  check_status(status, backend, op, "input", params.num_embeddings);
  return y;
}

py::array backward(py::handle grad_object, py::handle indices_object, py::handle weight_object,
                   std::optional<std::int64_t> padding_idx, bool scale_grad_by_freq) {
  const ArrayView indices = index_array(op, "input", indices_object);
  const ArrayView weight = input_array(op, "weight", weight_object);
  const EmbeddingParams params =
      embedding_params(indices.shape(), weight.shape(), weight.dtype(), padding_idx, scale_grad_by_freq);
  const ArrayView grad_y =
      gradient_array(op, "grad_output", grad_object, output_shape(indices.shape(), params), params.dtype);
  const BackendTable& backend = host_backend();
  check_kernel(backend.embedding.backward != nullptr, backend, op);
  py::array grad_weight = new_array(weight.shape(), params.dtype);
  const Status status =
      run_kernel(backend.embedding.backward_workspace_bytes(params), [&](const Launch& launch) {
        return backend.embedding.backward(launch, params, grad_y.data(), indices.data(), data(grad_weight));
      });
  check_status(status, backend, op, "input", params.num_embeddings);
  return grad_weight;
}

}  // namespace
}  // namespace fastdl::embedding_bindings

namespace fastdl {
void bind_embedding(py::module_& module) {
  using namespace embedding_bindings;
  module.def("embedding_forward", &forward);
  module.def("embedding_backward", &backward);
}
}  // namespace fastdl
