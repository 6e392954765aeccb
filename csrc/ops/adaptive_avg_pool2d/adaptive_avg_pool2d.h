#pragma once

#include "core/backend.h"
#include "primitives/pooling.h"

namespace fastdl {

/// y[p, q] = the mean of x over rows [floor(p H / P), ceil((p + 1) H / P)) and the columns likewise, in each
/// plane. All arrays are dense in the geometry's format; no aliasing.
struct AdaptiveAvgPool2dKernels {
  Status (*forward)(const Launch&, const PoolingGeometry&, const void* x, void* y);
  Status (*backward)(const Launch&, const PoolingGeometry&, const void* grad_y, void* grad_x);
};

/// The shape rule. Throws ValueError or TypeError.
PoolingGeometry adaptive_avg_pool2d_geometry(const Shape& input, DType dtype, const OutputSize& output_size,
                                             MemoryFormat format);

}  // namespace fastdl
