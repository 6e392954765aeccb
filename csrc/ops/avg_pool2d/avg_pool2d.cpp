#include "ops/avg_pool2d/avg_pool2d.h"

#include "core/error.h"

namespace fastdl {

AvgPool2dParams avg_pool2d_params(const Shape& input, DType dtype, Pair kernel_size, Pair stride,
                                  Pair padding, bool ceil_mode, bool count_include_pad,
                                  std::optional<std::int64_t> divisor_override, MemoryFormat format) {
  if (divisor_override == 0)
    throw ValueError("[avg_pool2d] divisor_override: expected None or an int other than 0, got 0");
  return {
      pooling_geometry("avg_pool2d", input, dtype, kernel_size, stride, padding, {1, 1}, ceil_mode, format),
      count_include_pad, divisor_override.value_or(0)};
}

}  // namespace fastdl
