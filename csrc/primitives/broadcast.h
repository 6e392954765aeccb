#pragma once

#include "core/shape.h"

namespace fastdl {

/// How a C-contiguous array is read as if it had a larger shape: strides in elements, 0 where it is repeated.
/// Neighbouring axes that step alike are one, so there are few.
struct Broadcast {
  std::int32_t axes = 0;
  std::int64_t extents[Shape::max_dims] = {};
  std::int64_t strides[Shape::max_dims] = {};
};

/// Throws ValueError unless `shape` broadcasts to `onto`, the shape of argument `of`.
Broadcast broadcast_onto(const char* op, const char* argument, const Shape& shape, const char* of,
                         const Shape& onto);

}  // namespace fastdl
