#include "ops/linear/linear.h"

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

LinearParams linear_params(const Shape& x, DType x_dtype, const Shape& weight, DType weight_dtype,
                           const Shape* bias, DType bias_dtype) {
  constexpr const char* op = "linear";
  check_floating_or_bfloat16(op, "input", x_dtype);
  check_same_dtype(op, "weight", weight_dtype, x_dtype);
  if (x.size() < 1) throw ValueError(concat("[linear] input: expected (*, in_features), got ", x));
  const std::int64_t in_features = x[x.size() - 1];
  if (weight.size() < 1 || weight.size() > 2 || weight[weight.size() - 1] != in_features)
    throw ValueError(concat("[linear] weight: expected (out_features, ", in_features, ") or (", in_features,
                            ",) for input of shape ", x, ", got ", weight));
  if (bias != nullptr) {
    check_same_dtype(op, "bias", bias_dtype, x_dtype);
    check_shape(op, "bias", *bias, linear_bias_shape(weight), "weight", weight);
  }
  LinearParams params{};
  params.dtype = x_dtype;
  params.in_features = in_features;
  params.out_features = weight.size() == 1 ? 1 : weight[0];
  params.rows = 1;
  for (int axis = 0; axis < x.size() - 1; ++axis) params.rows *= x[axis];
  return params;
}

Shape linear_output_shape(const Shape& x, const Shape& weight) {
  Shape y;
  for (int axis = 0; axis < x.size() - 1; ++axis) y.push_back(x[axis]);
  if (weight.size() == 2) y.push_back(weight[0]);
  return y;
}

Shape linear_bias_shape(const Shape& weight) {
  return weight.size() == 2 ? Shape{weight[0]} : Shape{};
}

}  // namespace fastdl
