#include "ops/matmul/matmul.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

constexpr const char* op = "matmul";

/// Batch axes of an operand, and its extent or stride of one of them counted from the innermost (0).
int batch_axes(const Shape& shape) {
  return std::max(0, shape.size() - 2);
}
std::int64_t batch_value(const Shape& shape, const Shape& values, int from_innermost, std::int64_t beyond) {
  const int axis = batch_axes(shape) - 1 - from_innermost;
  return axis >= 0 ? values[axis] : beyond;
}

std::int64_t batch_extent(const Shape& input, const Shape& other, int from_innermost) {
  const std::int64_t a = batch_value(input, input, from_innermost, 1),
                     b = batch_value(other, other, from_innermost, 1);
  if (a != b && a != 1 && b != 1)
    throw ValueError(concat("[matmul] other: expected batch axes that broadcast with input of shape ", input,
                            ", got ", other));
  return a == 1 ? b : a;
}

std::int64_t batch_stride(const Shape& shape, const Shape& strides, int from_innermost) {
  return batch_value(shape, shape, from_innermost, 1) == 1 ? 0
                                                           : batch_value(shape, strides, from_innermost, 0);
}

/// The stride of the axes before the last, which have one in common.
std::int64_t common_stride(const Shape& shape, const Shape& strides) {
  for (int axis = shape.size() - 2; axis >= 0; --axis)
    if (shape[axis] != 1) return strides[axis];
  return 0;
}

void check_operands(const Shape& input, DType input_dtype, const Shape& other, DType other_dtype) {
  check_floating(op, "input", input_dtype);
  check_same_dtype(op, "other", other_dtype, input_dtype);
  if (input.size() == 0 || other.size() == 0)
    throw ValueError(concat("[matmul] ", input.size() == 0 ? "input" : "other",
                            ": expected at least one axis, got ", Shape{}));
  const std::int64_t depth = input[input.size() - 1];
  const std::int64_t rows = other[other.size() == 1 ? 0 : other.size() - 2];
  if (depth != rows)
    throw ValueError(
        concat("[matmul] other: expected ", depth, " rows for input of shape ", input, ", got ", other));
}

}  // namespace

bool matmul_folds(const Shape& input, const Shape& other) {
  for (int axis = 0; axis < batch_axes(other); ++axis)
    if (other[axis] != 1) return false;
  return input.size() > 1;
}

MatmulParams matmul_params(const Shape& input, const Shape& input_strides, DType input_dtype,
                           const Shape& other, const Shape& other_strides, DType other_dtype) {
  check_operands(input, input_dtype, other, other_dtype);
  const int a_axes = input.size(), b_axes = other.size();
  MatmulParams params{};
  params.dtype = input_dtype;
  params.depth = input[a_axes - 1];
  params.columns = b_axes == 1 ? 1 : other[b_axes - 1];
  params.a.column_stride = input_strides[a_axes - 1];
  params.b.row_stride = other_strides[b_axes == 1 ? 0 : b_axes - 2];
  params.b.column_stride = b_axes == 1 ? 0 : other_strides[b_axes - 1];
  if (matmul_folds(input, other)) {
    params.rows = 1;
    for (int axis = 0; axis < a_axes - 1; ++axis) params.rows *= input[axis];
    params.a.row_stride = common_stride(input, input_strides);
    return params;
  }
  params.rows = a_axes == 1 ? 1 : input[a_axes - 2];
  params.a.row_stride = a_axes == 1 ? 0 : input_strides[a_axes - 2];
  params.batch_axes = std::max(batch_axes(input), batch_axes(other));
  for (int i = 0; i < params.batch_axes; ++i) {
    const int axis = params.batch_axes - 1 - i;
    params.batch_extents[axis] = batch_extent(input, other, i);
    params.a.batch_strides[axis] = batch_stride(input, input_strides, i);
    params.b.batch_strides[axis] = batch_stride(other, other_strides, i);
  }
  return params;
}

Shape matmul_output_shape(const Shape& input, const Shape& other) {
  Shape output;
  for (int i = std::max(batch_axes(input), batch_axes(other)) - 1; i >= 0; --i)
    output.push_back(batch_extent(input, other, i));
  if (input.size() > 1) output.push_back(input[input.size() - 2]);
  if (other.size() > 1) output.push_back(other[other.size() - 1]);
  return output;
}

}  // namespace fastdl
