#pragma once

#include <array>
#include <optional>

#include "core/dtype.h"
#include "core/macros.h"
#include "core/shape.h"
#include "primitives/convolution.h"

namespace fastdl {

/// Windows along one axis. Sliding ones start at o * stride - padding and have `kernel` taps `dilation`
/// apart, of which those inside [0, size) count. Adaptive ones (kernel 0) are [floor(o size / outputs),
/// ceil((o + 1) size / outputs)).
struct WindowAxis {
  std::int64_t size, outputs;
  std::int64_t kernel, stride, padding, dilation;

  FASTDL_HOST_DEVICE bool adaptive() const { return kernel == 0; }
  /// Position of the first tap, which may be before the axis.
  FASTDL_HOST_DEVICE std::int64_t origin(std::int64_t o) const {
    return adaptive() ? o * size / outputs : o * stride - padding;
  }
  /// The taps [first_tap, last_tap) lie inside the axis.
  FASTDL_HOST_DEVICE std::int64_t first_tap(std::int64_t o) const {
    return origin(o) >= 0 ? 0 : (-origin(o) + dilation - 1) / dilation;
  }
  FASTDL_HOST_DEVICE std::int64_t last_tap(std::int64_t o) const {
    if (adaptive()) return end(o) - origin(o);
    const std::int64_t fitting = (size - origin(o) + dilation - 1) / dilation;
    return fitting < kernel ? fitting : kernel;
  }
  /// Without dilation: the window is [begin, end).
  FASTDL_HOST_DEVICE std::int64_t begin(std::int64_t o) const { return origin(o) < 0 ? 0 : origin(o); }
  FASTDL_HOST_DEVICE std::int64_t end(std::int64_t o) const {
    if (adaptive()) return 1 + ((o + 1) * size - 1) / outputs;
    return origin(o) + kernel < size ? origin(o) + kernel : size;
  }
  /// Without dilation: the extent of the window where padding counts as part of the axis.
  FASTDL_HOST_DEVICE std::int64_t padded_extent(std::int64_t o) const {
    if (adaptive()) return last_tap(o);
    const std::int64_t fitting = size + padding - origin(o);
    return fitting < kernel ? fitting : kernel;
  }
  /// Without dilation: the first window that reaches beyond `position`.
  FASTDL_HOST_DEVICE std::int64_t first_window(std::int64_t position) const {
    if (adaptive()) return position * outputs / size;
    const std::int64_t beyond = position + padding - kernel + 1;
    return beyond <= 0 ? 0 : (beyond + stride - 1) / stride;
  }
};

/// Pooling of x (N, C, H, W) or (C, H, W), whose leading axes count as `planes`, to y (…, P, Q).
struct PoolingGeometry {
  DType dtype;
  std::int64_t planes;
  WindowAxis h, w;

  std::int64_t input_plane() const { return h.size * w.size; }
  std::int64_t output_plane() const { return h.outputs * w.outputs; }
};

/// The shape rule of sliding windows. Throws ValueError or TypeError.
PoolingGeometry pooling_geometry(const char* op, const Shape& input, DType dtype, Pair kernel_size,
                                 Pair stride, Pair padding, Pair dilation, bool ceil_mode);

/// The shape rule of adaptive windows; an output size that is not given is the input's.
using OutputSize = std::array<std::optional<std::int64_t>, 2>;
PoolingGeometry adaptive_pooling_geometry(const char* op, const Shape& input, DType dtype,
                                          const OutputSize& output_size);

/// `input` with its last two extents replaced by the pooled ones.
Shape pooled_shape(const Shape& input, const PoolingGeometry& geometry);

}  // namespace fastdl
