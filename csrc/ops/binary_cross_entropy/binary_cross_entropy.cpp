#include "ops/binary_cross_entropy/binary_cross_entropy.h"

#include "core/check.h"

namespace fastdl {

BinaryCrossEntropyParams binary_cross_entropy_params(const Shape& input, DType input_dtype,
                                                     const Shape& target, DType target_dtype,
                                                     const Shape* weight, DType weight_dtype,
                                                     const std::string& reduction) {
  constexpr const char* op = "binary_cross_entropy";
  BinaryCrossEntropyParams params{
      elementwise_loss_params(op, input, input_dtype, target, target_dtype, reduction), {}};
  if (weight != nullptr) {
    check_same_dtype(op, "weight", weight_dtype, input_dtype);
    params.weight = broadcast_onto(op, "weight", *weight, "input", input);
  }
  return params;
}

}  // namespace fastdl
