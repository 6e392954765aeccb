#include "ops/mse_loss/mse_loss.h"

namespace fastdl {

MseLossParams mse_loss_params(const Shape& input, DType input_dtype, const Shape& target, DType target_dtype,
                              const std::string& reduction) {
  return {elementwise_loss_params("mse_loss", input, input_dtype, target, target_dtype, reduction)};
}

}  // namespace fastdl
