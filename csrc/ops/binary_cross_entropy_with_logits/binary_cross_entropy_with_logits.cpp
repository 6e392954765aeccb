#include "ops/binary_cross_entropy_with_logits/binary_cross_entropy_with_logits.h"

#include "core/check.h"

namespace fastdl {

BinaryCrossEntropyWithLogitsParams binary_cross_entropy_with_logits_params(
    const Shape& input, DType input_dtype, const Shape& target, DType target_dtype, const Shape* weight,
    DType weight_dtype, const Shape* pos_weight, DType pos_weight_dtype, const std::string& reduction) {
  constexpr const char* op = "binary_cross_entropy_with_logits";
  BinaryCrossEntropyWithLogitsParams params{
      elementwise_loss_params(op, input, input_dtype, target, target_dtype, reduction), {}, {}};
  if (weight != nullptr) {
    check_same_dtype(op, "weight", weight_dtype, input_dtype);
    params.weight = broadcast_onto(op, "weight", *weight, "input", input);
  }
  if (pos_weight != nullptr) {
    check_same_dtype(op, "pos_weight", pos_weight_dtype, input_dtype);
    params.pos_weight = broadcast_onto(op, "pos_weight", *pos_weight, "input", input);
  }
  return params;
}

}  // namespace fastdl
