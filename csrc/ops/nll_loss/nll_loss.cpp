#include "ops/nll_loss/nll_loss.h"

#include "core/check.h"
#include "core/error.h"
#include "primitives/class_targets.h"

namespace fastdl {

NllLossParams nll_loss_params(const Shape& input, DType input_dtype, const Shape& target, const Shape* weight,
                              DType weight_dtype, std::int64_t ignore_index, const std::string& reduction) {
  constexpr const char* op = "nll_loss";
  check_floating(op, "input", input_dtype);
  if (input.size() < 1)
    throw ValueError(concat("[nll_loss] input: expected (C), (N, C) or (N, C, d1, ...), got ", input));
  const bool batched = input.size() > 1;

  NllLossParams params{};
  params.dtype = input_dtype;
  params.batch = batched ? input[0] : 1;
  params.classes = input[batched ? 1 : 0];
  params.inner = 1;
  for (int i = 2; i < input.size(); ++i) params.inner *= input[i];
  params.ignore_index = ignore_index;
  params.reduction = parse_reduction(op, reduction);

  check_shape(op, "target", target, without_classes(input), "input", input);
  if (weight != nullptr) {
    check_same_dtype(op, "weight", weight_dtype, input_dtype);
    check_shape(op, "weight", *weight, Shape{params.classes}, "input", input);
  }
  return params;
}

}  // namespace fastdl
