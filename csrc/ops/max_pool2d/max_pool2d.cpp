#include "ops/max_pool2d/max_pool2d.h"

namespace fastdl {

PoolingGeometry max_pool2d_geometry(const Shape& input, DType dtype, Pair kernel_size, Pair stride,
                                    Pair padding, Pair dilation, bool ceil_mode, MemoryFormat format) {
  return pooling_geometry("max_pool2d", input, dtype, kernel_size, stride, padding, dilation, ceil_mode,
                          format);
}

}  // namespace fastdl
