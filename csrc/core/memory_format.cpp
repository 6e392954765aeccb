#include "core/memory_format.h"

#include <algorithm>

namespace fastdl {
namespace {

constexpr int innermost_first[] = {1, 3, 2, 0};  // the axes of channels_last

}  // namespace

Shape format_strides(const Shape& shape, MemoryFormat format) {
  if (format == MemoryFormat::contiguous) return contiguous_strides(shape);
  Shape strides = shape;
  std::int64_t step = 1;
  for (const int axis : innermost_first) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

MemoryFormat suggested_format(const Shape& shape, const Shape& strides) {
  if (shape.size() != 4 || strides[1] == 0) return MemoryFormat::contiguous;
  std::int64_t least = 0;
  for (const int axis : innermost_first) {
    if (shape[axis] == 0 || strides[axis] < least || (axis == 0 && least == strides[1]))
      return MemoryFormat::contiguous;
    least = strides[axis] * std::max<std::int64_t>(shape[axis], 1);
  }
  return MemoryFormat::channels_last;
}

}  // namespace fastdl
