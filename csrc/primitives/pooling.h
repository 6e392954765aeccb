#pragma once

#include <array>
#include <optional>

#include "core/dtype.h"
#include "core/macros.h"
#include "core/memory_format.h"
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
  /// Of any window.
  FASTDL_HOST_DEVICE std::int64_t most_taps() const {
    if (!adaptive()) return kernel;
    const std::int64_t most = outputs == 0 ? 1 : (size + outputs - 1) / outputs + 1;
    return most < size ? most : size;
  }
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

/// How the CPU goes about it, decided by the shape alone.
enum class PoolingRoute : std::int32_t {
  planes,  ///< the lanes side by side in a plane that is one window
  rows,    ///< the lanes are neighbouring columns
  blocks,  ///< the lanes are planes, pooling_block of which are transposed into scratch
  pixels   ///< the lanes are channels, neighbours in memory: channels_last
};

constexpr std::int64_t pooling_block = 16;  // planes
constexpr std::int64_t widest_window = 5;   // columns, on the route of rows

/// Pooling of x (N, C, H, W) or (C, H, W), whose leading axes count as `planes`, to y (…, P, Q) of the same
/// memory format.
struct PoolingGeometry {
  DType dtype;
  MemoryFormat format;
  std::int64_t planes, channels;
  WindowAxis h, w;

  FASTDL_HOST_DEVICE std::int64_t images() const { return planes / channels; }
  FASTDL_HOST_DEVICE std::int64_t input_plane() const { return h.size * w.size; }
  FASTDL_HOST_DEVICE std::int64_t output_plane() const { return h.outputs * w.outputs; }
  /// A tap (r, s) counted from its window's origin has the number r * tap_columns() + s.
  FASTDL_HOST_DEVICE std::int64_t tap_columns() const { return w.most_taps(); }
  FASTDL_HOST_DEVICE std::int64_t tap_numbers() const { return h.most_taps() * w.most_taps(); }
};

PoolingRoute pooling_route(const PoolingGeometry& geometry);

/// What holds a tap's number: uint8, int32 or int64.
DType tap_dtype(const PoolingGeometry& geometry);

/// Whether every element of the image belongs to one window.
bool windows_tile(const PoolingGeometry& geometry);

/// Whether a window may have no tap inside the image, which takes dilation.
bool may_miss(const PoolingGeometry& geometry);

/// The shape rule of sliding windows. Throws ValueError or TypeError.
PoolingGeometry pooling_geometry(const char* op, const Shape& input, DType dtype, Pair kernel_size,
                                 Pair stride, Pair padding, Pair dilation, bool ceil_mode,
                                 MemoryFormat format);

/// The shape rule of adaptive windows; an output size that is not given is the input's.
using OutputSize = std::array<std::optional<std::int64_t>, 2>;
PoolingGeometry adaptive_pooling_geometry(const char* op, const Shape& input, DType dtype,
                                          const OutputSize& output_size, MemoryFormat format);

/// `input` with its last two extents replaced by the pooled ones.
Shape pooled_shape(const Shape& input, const PoolingGeometry& geometry);

}  // namespace fastdl
