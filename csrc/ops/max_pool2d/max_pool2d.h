#pragma once

#include "core/backend.h"
#include "primitives/pooling.h"

namespace fastdl {

/// y[p, q] = max_{r, s} x[p u - a + r d, q v - b + s e] in each plane, over the taps (r, s) inside x, with
/// stride (u, v), padding (a, b), dilation (d, e). A NaN among them is the maximum. indices (planes, P, Q),
/// int64: its position h W + w in the plane, of the first where values are equal and of the last NaN; -1 (and
/// y = -infinity) where a window has no tap inside x, which takes dilation. taps (planes, P, Q), tap_dtype:
/// the maximum's tap, in an order that is the backend's own. The other arrays are dense in the geometry's
/// format; no aliasing.
struct MaxPool2dKernels {
  /// One of indices and taps, or both, are null.
  Status (*forward)(const Launch&, const PoolingGeometry&, const void* x, void* y, void* indices, void* taps);

  /// grad_x gets each gradient where its index says, in the order of the outputs. An index outside [-1, H W):
  /// the CPU answers bad_index; a device that must not wait for its kernels leaves the gradient out.
  Status (*backward)(const Launch&, const PoolingGeometry&, const void* grad_y, const void* indices,
                     void* grad_x);

  /// The same with forward's taps of the same geometry.
  Status (*taps_backward)(const Launch&, const PoolingGeometry&, const void* grad_y, const void* taps,
                          void* grad_x);
};

/// The shape rule. Throws ValueError or TypeError.
PoolingGeometry max_pool2d_geometry(const Shape& input, DType dtype, Pair kernel_size, Pair stride,
                                    Pair padding, Pair dilation, bool ceil_mode, MemoryFormat format);

}  // namespace fastdl
