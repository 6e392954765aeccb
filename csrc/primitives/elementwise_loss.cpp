#include "primitives/elementwise_loss.h"

#include "core/check.h"

namespace fastdl {

ElementwiseLossParams elementwise_loss_params(const char* op, const Shape& input, DType input_dtype,
                                              const Shape& target, DType target_dtype,
                                              const std::string& reduction) {
  check_floating(op, "input", input_dtype);
  check_same_dtype(op, "target", target_dtype, input_dtype);
  check_shape(op, "target", target, input, "input", input);
  return {input_dtype, input.numel(), parse_reduction(op, reduction)};
}

std::size_t elementwise_loss_workspace_bytes(const ElementwiseLossParams& params) {
  return static_cast<std::size_t>((params.count + loss_chunk - 1) / loss_chunk) * sizeof(double);
}

}  // namespace fastdl
