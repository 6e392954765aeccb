#include "ops/avg_pool2d/avg_pool2d.h"
#include "primitives/average_pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE DivisorRule divisor_of(const AvgPool2dParams& params) {
  return {params.count_include_pad, params.divisor_override};
}

Status avg_pool2d_forward(const Launch&, const AvgPool2dParams& params, const void* x, void* y) {
  with_type(params.geometry.dtype, [&]<class T>(T) {
    average_pool(params.geometry, divisor_of(params), static_cast<const T*>(x), static_cast<T*>(y));
  });
  return {};
}

Status avg_pool2d_backward(const Launch&, const AvgPool2dParams& params, const void* grad_y, void* grad_x) {
  with_type(params.geometry.dtype, [&]<class T>(T) {
    average_pool_backward(params.geometry, divisor_of(params), static_cast<const T*>(grad_y),
                          static_cast<T*>(grad_x));
  });
  return {};
}

}  // namespace

void fill_avg_pool2d(AvgPool2dKernels& kernels) {
  kernels = {avg_pool2d_forward, avg_pool2d_backward};
}

}  // namespace fastdl::FASTDL_ISA
