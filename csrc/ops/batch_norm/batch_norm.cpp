#include "ops/batch_norm/batch_norm.h"

#include <utility>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

constexpr const char* op = "batch_norm";

void check_statistics(const ChannelVector& running_mean, const ChannelVector& running_var, bool training) {
  if ((running_mean.shape == nullptr) != (running_var.shape == nullptr))
    throw ValueError("[batch_norm] running_mean, running_var: expected both or neither, got one");
  if (!training && running_mean.shape == nullptr)
    throw ValueError("[batch_norm] running_mean: expected statistics where training is False, got None");
}

void check_eps(double eps, bool training) {
  if (training && !(eps > 0.0))
    throw ValueError(concat("[batch_norm] eps must be positive during training, but got ", eps));
  if (!(eps >= 0.0)) throw ValueError(concat("[batch_norm] eps must be non-negative, but got ", eps));
}

}  // namespace

BatchNormParams batch_norm_params(const Shape& x, DType x_dtype, const ChannelVector& running_mean,
                                  const ChannelVector& running_var, const ChannelVector& weight,
                                  const ChannelVector& bias, bool training, double momentum, double eps,
                                  MemoryFormat format) {
  check_floating(op, "input", x_dtype);
  const bool nothing = x == Shape{0};  // PyTorch takes this one-dimensional shape too
  if (x.size() < 2 && !nothing)
    throw ValueError(concat("[batch_norm] input: expected (N, C) or (N, C, ...), got ", x));
  BatchNormParams params{};
  params.dtype = x_dtype;
  params.batch = x[0];
  params.channels = nothing ? 0 : x[1];
  params.inner = 1;
  for (int axis = 2; axis < x.size(); ++axis) params.inner *= x[axis];
  if (format == MemoryFormat::channels_last) params.batch *= std::exchange(params.inner, 1);
  params.training = training;
  params.momentum = momentum;
  params.eps = eps;

  check_statistics(running_mean, running_var, training);
  for (const ChannelVector& vector : {running_mean, running_var, weight, bias}) {
    if (vector.shape == nullptr) continue;
    check_same_dtype(op, vector.argument, vector.dtype, x_dtype);
    check_shape(op, vector.argument, *vector.shape, Shape{params.channels}, "input", x);
  }
  check_eps(eps, training);
  if (training && params.count() == 1)
    throw ValueError(concat(
        "[batch_norm] input: Expected more than 1 value per channel when training, got input size ", x));
  return params;
}

}  // namespace fastdl
