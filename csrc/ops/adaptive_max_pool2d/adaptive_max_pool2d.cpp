#include "ops/adaptive_max_pool2d/adaptive_max_pool2d.h"

namespace fastdl {

PoolingGeometry adaptive_max_pool2d_geometry(const Shape& input, DType dtype, const OutputSize& output_size,
                                             MemoryFormat format) {
  return adaptive_pooling_geometry("adaptive_max_pool2d", input, dtype, output_size, format);
}

}  // namespace fastdl
