#include "ops/cross_entropy/cross_entropy.h"

#include "core/check.h"
#include "core/error.h"
#include "primitives/class_targets.h"

namespace fastdl {
namespace {

constexpr const char* op = "cross_entropy";

}  // namespace

CrossEntropyParams cross_entropy_params(const Shape& input, DType input_dtype, const Shape& target,
                                        DType target_dtype, const Shape* weight, DType weight_dtype,
                                        const std::string& reduction, std::int64_t ignore_index,
                                        double label_smoothing) {
  check_floating(op, "input", input_dtype);
  if (input.size() < 1)
    throw ValueError(concat("[cross_entropy] input: expected (C), (N, C) or (N, C, d1, ...), got ", input));
  const bool batched = input.size() > 1;

  CrossEntropyParams params{};
  params.dtype = input_dtype;
  params.batch = batched ? input[0] : 1;
  params.classes = input[batched ? 1 : 0];
  params.inner = 1;
  for (int i = 2; i < input.size(); ++i) params.inner *= input[i];
  params.probabilities = is_floating(target_dtype);
  params.ignore_index = ignore_index;
  params.label_smoothing = label_smoothing;
  params.reduction = parse_reduction(op, reduction);

  if (params.classes < 1 && params.rows() > 0)
    throw ValueError(concat("[cross_entropy] input: expected at least one class, got ", input));
  if (params.probabilities) {
    check_same_dtype(op, "target", target_dtype, input_dtype);
    check_shape(op, "target", target, input, "input", input);
    if (ignore_index >= 0)
      throw ValueError(
          concat("[cross_entropy] ignore_index: expected none with probability targets, got ", ignore_index));
  } else {
    check_shape(op, "target", target, without_classes(input), "input", input);
  }
  if (weight != nullptr) {
    check_same_dtype(op, "weight", weight_dtype, input_dtype);
    check_shape(op, "weight", *weight, Shape{params.classes}, "input", input);
  }
  if (!(label_smoothing >= 0.0 && label_smoothing <= 1.0))
    throw ValueError(
        concat("[cross_entropy] label_smoothing: expected a value in [0, 1], got ", label_smoothing));
  return params;
}

}  // namespace fastdl
