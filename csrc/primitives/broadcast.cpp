#include "primitives/broadcast.h"

#include "core/error.h"

namespace fastdl {

Broadcast broadcast_onto(const char* op, const char* argument, const Shape& shape, const char* of,
                         const Shape& onto) {
  const int missing = onto.size() - shape.size();
  bool fits = missing >= 0;
  for (int i = 0; fits && i < shape.size(); ++i) fits = shape[i] == 1 || shape[i] == onto[missing + i];
  if (!fits)
    throw ValueError(concat("[", op, "] ", argument, ": expected a shape that broadcasts to ", onto,
                            ", that of ", of, ", got ", shape));
  Shape strides = onto;
  std::int64_t stride = 1;
  for (int axis = onto.size() - 1; axis >= 0; --axis) {
    const std::int64_t extent = axis >= missing ? shape[axis - missing] : 1;
    strides[axis] = extent == 1 ? 0 : stride;
    stride *= extent;
  }
  Broadcast result;
  for (int axis = 0; axis < onto.size(); ++axis) {
    if (onto[axis] == 1) continue;
    const int last = result.axes - 1;
    if (last >= 0 && result.strides[last] == onto[axis] * strides[axis]) {
      result.extents[last] *= onto[axis];
      result.strides[last] = strides[axis];
    } else {
      result.extents[result.axes] = onto[axis];
      result.strides[result.axes++] = strides[axis];
    }
  }
  return result;
}

}  // namespace fastdl
