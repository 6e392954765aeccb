#include <pybind11/stl.h>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"
#include "ops/conv_transpose2d/conv_transpose2d.h"

namespace fastdl::conv_transpose2d_bindings {
namespace {

constexpr const char* op = "conv_transpose2d";

/// (C, H, W) is a batch of one.
bool unbatched(const ArrayView& x) {
  return x.shape().size() == 3;
}
Shape batched_shape(const ArrayView& x) {
  return unbatched(x) ? with_batch(1, x.shape()) : x.shape();
}

py::array forward(const Activation& activation, py::handle x_object, py::handle weight_object,
                  py::handle bias_object, Pair stride, Pair padding, Pair output_padding, std::int64_t groups,
                  Pair dilation) {
  const ImageView x =
      image_array(op, "input", x_object, joint_format(op, "input", x_object, "weight", weight_object));
  const ArrayView weight = input_array(op, "weight", weight_object);
  const ArrayView bias = optional_array(op, "bias", bias_object);
  ConvolutionGeometry g = conv_transpose2d_geometry(batched_shape(x), x.dtype(), weight.shape(),
                                                    weight.dtype(), bias.shape_or_null(), bias.dtype(),
                                                    stride, padding, output_padding, groups, dilation);
  g.format = x.format();
  check_activation(op, activation, g.dtype);
  const BackendTable& backend = host_backend();
  check_kernel(backend.conv_transpose2d.forward != nullptr, backend, op);
  py::array y = new_array(unbatched(x) ? without_batch(g.x_shape()) : g.x_shape(), g.dtype, g.format);
  const Status status =
      run_kernel(backend.conv_transpose2d.forward_workspace_bytes(g), [&](const Launch& launch) {
        return backend.conv_transpose2d.forward(launch, g, activation, x.data(), weight.data(), bias.data(),
                                                data(y));
      });
  check_status(status, backend, op);
  return y;
}

py::tuple backward(py::handle grad_object, py::handle x_object, py::handle weight_object, Pair stride,
                   Pair padding, Pair output_padding, std::int64_t groups, Pair dilation, bool needs_input,
                   bool needs_weight, bool needs_bias) {
  const ImageView x =
      image_array(op, "input", x_object, joint_format(op, "input", x_object, "weight", weight_object));
  const ArrayView weight = input_array(op, "weight", weight_object);
  ConvolutionGeometry g =
      conv_transpose2d_geometry(batched_shape(x), x.dtype(), weight.shape(), weight.dtype(), nullptr,
                                x.dtype(), stride, padding, output_padding, groups, dilation);
  g.format = x.format();
  const ArrayView grad_y =
      gradient_array(op, "grad_output", grad_object, unbatched(x) ? without_batch(g.x_shape()) : g.x_shape(),
                     g.dtype, g.format);
  const BackendTable& backend = host_backend();
  check_kernel(backend.conv_transpose2d.backward_input != nullptr, backend, op);
  py::object grad_x = new_array_if(needs_input, x.shape(), g.dtype, g.format);
  py::object grad_weight = new_array_if(needs_weight, g.weight_shape(), g.dtype);
  py::object grad_bias = new_array_if(needs_bias, Shape{g.C}, g.dtype);
  const auto run = [&](const py::object& output, std::size_t (*workspace_bytes)(const ConvolutionGeometry&),
                       auto kernel) {
    if (!output.is_none())
      check_status(run_kernel(workspace_bytes ? workspace_bytes(g) : 0, kernel), backend, op);
  };
  run(grad_x, backend.conv_transpose2d.backward_input_workspace_bytes, [&](const Launch& launch) {
    return backend.conv_transpose2d.backward_input(launch, g, grad_y.data(), weight.data(), data(grad_x));
  });
  run(grad_weight, backend.conv_transpose2d.backward_weight_workspace_bytes, [&](const Launch& launch) {
    return backend.conv_transpose2d.backward_weight(launch, g, grad_y.data(), x.data(), data(grad_weight));
  });
  run(grad_bias, nullptr, [&](const Launch& launch) {
    return backend.conv_transpose2d.backward_bias(launch, g, grad_y.data(), data(grad_bias));
  });
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

/// The names of what would run each pass over an input (N, C, H, W) and a weight of these shapes; empty where
/// the backend has one way alone.
py::dict variants(const std::vector<std::int64_t>& input, const std::vector<std::int64_t>& weight,
                  const py::dtype& dtype, Pair stride, Pair padding, Pair output_padding, std::int64_t groups,
                  Pair dilation) {
  const Shape x = shape_argument(op, "input", input), kernel = shape_argument(op, "weight", weight);
  const DType type = known_dtype(op, "dtype", dtype, floating_dtypes);
  const ConvolutionGeometry g = conv_transpose2d_geometry(x, type, kernel, type, nullptr, type, stride,
                                                          padding, output_padding, groups, dilation);
  py::dict names;
  const auto variant = host_backend().conv_transpose2d.variant;
  if (variant == nullptr) return names;
  names["forward"] = variant(g, ConvolutionPass::forward);
  names["grad_input"] = variant(g, ConvolutionPass::grad_input);
  names["grad_weight"] = variant(g, ConvolutionPass::grad_weight);
  return names;
}

}  // namespace
}  // namespace fastdl::conv_transpose2d_bindings

namespace fastdl {
void bind_conv_transpose2d(py::module_& module) {
  using namespace conv_transpose2d_bindings;
  bind_activated(module, "conv_transpose2d_forward", "conv_transpose2d_activated_forward", &forward);
  module.def("conv_transpose2d_backward", &backward);
  module.def("conv_transpose2d_variants", &variants);
}
}  // namespace fastdl
