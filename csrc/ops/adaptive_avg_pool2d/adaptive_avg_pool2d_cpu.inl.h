#include "ops/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "primitives/average_pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

Status adaptive_avg_pool2d_forward(const Launch&, const PoolingGeometry& g, const void* x, void* y) {
  with_type(g.dtype, [&]<class T>(T) {
    average_pool(g, DivisorRule{false, 0}, static_cast<const T*>(x), static_cast<T*>(y));
  });
  return {};
}

Status adaptive_avg_pool2d_backward(const Launch&, const PoolingGeometry& g, const void* grad_y,
                                    void* grad_x) {
  with_type(g.dtype, [&]<class T>(T) {
    average_pool_backward(g, DivisorRule{false, 0}, static_cast<const T*>(grad_y), static_cast<T*>(grad_x));
  });
  return {};
}

}  // namespace

void fill_adaptive_avg_pool2d(AdaptiveAvgPool2dKernels& kernels) {
  kernels = {adaptive_avg_pool2d_forward, adaptive_avg_pool2d_backward};
}

}  // namespace fastdl::FASTDL_ISA
