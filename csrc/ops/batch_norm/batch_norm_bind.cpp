#include "ops/batch_norm/batch_norm.h"

#include "backends/backends.h"
#include "core/array_bridge.h"

namespace fastdl::batch_norm_bindings {
namespace {

constexpr const char* op = "batch_norm";

ChannelVector channel_vector(const char* argument, const ArrayView& view) {
  return {argument, view.shape_or_null(), view.dtype()};
}

/// Running statistics: changed where training, else only read.
ArrayView statistics(const char* argument, py::handle object, bool training) {
  return training && !object.is_none() ? inout_array(op, argument, object)
                                       : optional_array(op, argument, object);
}

py::tuple forward(const Activation& activation, py::handle x_object, py::handle mean_object,
                  py::handle var_object, py::handle weight_object, py::handle bias_object, bool training,
                  double momentum, double eps) {
  const ImageView x = image_array(op, "input", x_object);
  const ArrayView running_mean = statistics("running_mean", mean_object, training);
  const ArrayView running_var = statistics("running_var", var_object, training);
  const ArrayView weight = optional_array(op, "weight", weight_object);
  const ArrayView bias = optional_array(op, "bias", bias_object);
  const BatchNormParams params =
      batch_norm_params(x.shape(), x.dtype(), channel_vector("running_mean", running_mean),
                        channel_vector("running_var", running_var), channel_vector("weight", weight),
                        channel_vector("bias", bias), training, momentum, eps, x.format());
  check_activation(op, activation, params.dtype);
  const BackendTable& backend = host_backend();
  check_kernel(backend.batch_norm.forward != nullptr, backend, op);
  py::array y = new_array(x.shape(), params.dtype, x.format());
  py::array mean = new_array(Shape{params.channels}, params.dtype);
  py::array invstd = new_array(Shape{params.channels}, params.dtype);
  const std::size_t workspace = backend.batch_norm.forward_workspace_bytes(params);
  const Status status = run_kernel(workspace, [&](const Launch& launch) {
    return backend.batch_norm.forward(launch, params, activation, x.data(), weight.data(), bias.data(),
                                      running_mean.data(), running_var.data(), data(y), data(mean),
                                      data(invstd));
  });
  check_status(status, backend, op);
  return py::make_tuple(y, mean, invstd);
}

/// `mean` and `invstd` are forward's.
py::tuple backward(py::handle grad_object, py::handle x_object, py::handle weight_object,
                   py::handle mean_object, py::handle invstd_object, bool training, double eps,
                   bool needs_input, bool needs_weight, bool needs_bias) {
  const ImageView x = image_array(op, "input", x_object);
  const ArrayView weight = optional_array(op, "weight", weight_object);
  const ArrayView mean = input_array(op, "mean", mean_object);
  const ArrayView invstd = input_array(op, "invstd", invstd_object);
  const BatchNormParams params = batch_norm_params(
      x.shape(), x.dtype(), channel_vector("mean", mean), channel_vector("invstd", invstd),
      channel_vector("weight", weight), {"bias", nullptr, x.dtype()}, training, 0.0, eps, x.format());
  const ArrayView grad_y =
      gradient_array(op, "grad_output", grad_object, x.shape(), params.dtype, x.format());
  const BackendTable& backend = host_backend();
  check_kernel(backend.batch_norm.backward != nullptr, backend, op);
  py::object grad_x = new_array_if(needs_input, x.shape(), params.dtype, x.format());
  py::object grad_weight = new_array_if(needs_weight, Shape{params.channels}, params.dtype);
  py::object grad_bias = new_array_if(needs_bias, Shape{params.channels}, params.dtype);
  const std::size_t workspace = backend.batch_norm.backward_workspace_bytes(params);
  const Status status = run_kernel(workspace, [&](const Launch& launch) {
    return backend.batch_norm.backward(launch, params, grad_y.data(), x.data(), weight.data(), mean.data(),
                                       invstd.data(), data(grad_x), data(grad_weight), data(grad_bias));
  });
  check_status(status, backend, op);
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

}  // namespace
}  // namespace fastdl::batch_norm_bindings

namespace fastdl {
void bind_batch_norm(py::module_& module) {
  using namespace batch_norm_bindings;
  bind_activated(module, "batch_norm_forward", "batch_norm_activated_forward", &forward);
  module.def("batch_norm_backward", &backward);
}
}  // namespace fastdl
