#include "ops/softmax/softmax.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

SoftmaxParams softmax_params(bool log, const Shape& input, DType dtype, int dim) {
  const char* op = log ? "log_softmax" : "softmax";
  check_floating(op, "input", dtype);
  if (dim < 0 || dim >= std::max(1, input.size()))
    throw ValueError(concat("[", op, "] dim: expected an axis of input of shape ", input, ", got ", dim));
  SoftmaxParams params{dtype, log, 1, input.size() ? input[dim] : 1, 1};
  for (int i = 0; i < dim; ++i) params.batch *= input[i];
  for (int i = dim + 1; i < input.size(); ++i) params.inner *= input[i];
  return params;
}

}  // namespace fastdl
