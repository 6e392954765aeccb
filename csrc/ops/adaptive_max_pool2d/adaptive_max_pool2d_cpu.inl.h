#include "ops/adaptive_max_pool2d/adaptive_max_pool2d.h"
#include "primitives/max_pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

Status adaptive_max_pool2d_forward(const Launch&, const PoolingGeometry& g, const void* x, void* y,
                                   void* indices, void* taps) {
  with_type(g.dtype, [&]<class T>(T) {
    max_pool(g, static_cast<const T*>(x), static_cast<T*>(y), static_cast<std::int64_t*>(indices), taps);
  });
  return {};
}

Status adaptive_max_pool2d_backward(const Launch&, const PoolingGeometry& g, const void* grad_y,
                                    const void* indices, void* grad_x) {
  Status status;
  with_type(g.dtype, [&]<class T>(T) {
    status = scatter_to_maxima(g, static_cast<const T*>(grad_y), static_cast<const std::int64_t*>(indices),
                               static_cast<T*>(grad_x));
  });
  return status;
}

Status adaptive_max_pool2d_taps_backward(const Launch&, const PoolingGeometry& g, const void* grad_y,
                                         const void* taps, void* grad_x) {
  with_type(g.dtype, [&]<class T>(T) {
    max_pool_backward(g, static_cast<const T*>(grad_y), taps, static_cast<T*>(grad_x));
  });
  return {};
}

}  // namespace

void fill_adaptive_max_pool2d(AdaptiveMaxPool2dKernels& kernels) {
  kernels = {adaptive_max_pool2d_forward, adaptive_max_pool2d_backward, adaptive_max_pool2d_taps_backward};
}

}  // namespace fastdl::FASTDL_ISA
