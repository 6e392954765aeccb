#pragma once

#include "core/backend.h"
#include "primitives/pooling.h"

namespace fastdl {

/// y[p, q] = the maximum of x over rows [floor(p H / P), ceil((p + 1) H / P)) and the columns likewise, in
/// each plane; a NaN among them is the maximum. indices (planes, P, Q), int64: its position h W + w in the
/// plane, of the first where values are equal and of the last NaN. taps (planes, P, Q), tap_dtype: the
/// maximum's tap, in an order that is the backend's own. The other arrays are dense in the geometry's format;
/// no aliasing.
struct AdaptiveMaxPool2dKernels {
  /// One of indices and taps, or both, are null.
  Status (*forward)(const Launch&, const PoolingGeometry&, const void* x, void* y, void* indices, void* taps);

  /// grad_x gets each gradient where its index says, in the order of the outputs; -1 drops it. An index
  /// outside
  /// [-1, H W): the CPU answers bad_index; a device that must not wait for its kernels leaves the gradient
  /// out.
  Status (*backward)(const Launch&, const PoolingGeometry&, const void* grad_y, const void* indices,
                     void* grad_x);

  /// The same with forward's taps of the same geometry.
  Status (*taps_backward)(const Launch&, const PoolingGeometry&, const void* grad_y, const void* taps,
                          void* grad_x);
};

/// The shape rule. Throws ValueError or TypeError.
PoolingGeometry adaptive_max_pool2d_geometry(const Shape& input, DType dtype, const OutputSize& output_size,
                                             MemoryFormat format);

}  // namespace fastdl
