#pragma once

#include <cstdint>

#include "core/shape.h"

namespace fastdl {

/// The order of an (N, C, H, W) array's elements in memory: N, C, H, W or N, H, W, C, the outermost first.
enum class MemoryFormat : std::int32_t { contiguous = 0, channels_last = 1 };

/// Distances in elements between neighbours along each axis of a dense array. channels_last takes four axes.
Shape format_strides(const Shape& shape, MemoryFormat format);

/// The format of what is computed from an array of these strides (of any unit): channels_last only where they
/// leave no doubt. Extents of 1 can fit both formats (C = 1, or H = W = 1). They go by their strides, and are
/// contiguous where these do not tell either: is_channels_last_strides_2d of PyTorch's MemoryFormat.h.
MemoryFormat suggested_format(const Shape& shape, const Shape& strides);

}  // namespace fastdl
