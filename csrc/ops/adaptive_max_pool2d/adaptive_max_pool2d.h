#pragma once

#include "core/backend.h"
#include "primitives/pooling.h"

namespace fastdl {

/// y[p, q] = the maximum of x over rows [floor(p H / P), ceil((p + 1) H / P)) and the columns likewise, in
/// each plane; a NaN among them is the maximum. indices (planes, P, Q), int64: its position h W + w in the
/// plane, of the first where values are equal and of the last NaN. All arrays C-contiguous; no aliasing.
struct AdaptiveMaxPool2dKernels {
  /// indices may be null.
  Status (*forward)(const Launch&, const PoolingGeometry&, const void* x, void* y, void* indices);

  /// grad_x gets each gradient where its index says, in the order of the outputs; -1 drops it. An index
  /// outside
  /// [-1, H W): the CPU answers bad_index; a device that must not wait for its kernels leaves the gradient
  /// out.
  Status (*backward)(const Launch&, const PoolingGeometry&, const void* grad_y, const void* indices,
                     void* grad_x);
};

/// The shape rule. Throws ValueError or TypeError.
PoolingGeometry adaptive_max_pool2d_geometry(const Shape& input, DType dtype, const OutputSize& output_size);

}  // namespace fastdl
