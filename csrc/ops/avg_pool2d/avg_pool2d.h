#pragma once

#include "core/backend.h"
#include "primitives/pooling.h"

namespace fastdl {

/// y[p, q] = (sum_{r, s} x[p u - a + r, q v - b + s]) / divisor in each plane, over the taps (r, s) inside x,
/// with stride (u, v) and padding (a, b). The divisor is divisor_override or else the number of taps, those
/// in the padding included where count_include_pad says so; taps beyond the padding, where ceil mode has
/// windows hang over, never count.
struct AvgPool2dParams {
  PoolingGeometry geometry;
  bool count_include_pad;
  std::int64_t divisor_override;  ///< 0: none
};

/// All arrays are dense in the geometry's format; no aliasing.
struct AvgPool2dKernels {
  Status (*forward)(const Launch&, const AvgPool2dParams&, const void* x, void* y);
  Status (*backward)(const Launch&, const AvgPool2dParams&, const void* grad_y, void* grad_x);
};

/// The shape rule. Throws ValueError or TypeError.
AvgPool2dParams avg_pool2d_params(const Shape& input, DType dtype, Pair kernel_size, Pair stride,
                                  Pair padding, bool ceil_mode, bool count_include_pad,
                                  std::optional<std::int64_t> divisor_override, MemoryFormat format);

}  // namespace fastdl
