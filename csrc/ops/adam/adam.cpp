#include "ops/adam/adam.h"

#include <cmath>

#include "core/check.h"

namespace fastdl {
namespace {

constexpr const char* op = "adam_step";

}  // namespace

void check_adam(const AdamParams& params) {
  check_non_negative(op, "lr", params.lr);
  check_below_one(op, "beta1", params.beta1);
  check_below_one(op, "beta2", params.beta2);
  check_non_negative(op, "eps", params.eps);
  check_non_negative(op, "weight_decay", params.weight_decay);
}

void set_adam_step(const AdamParams& params, std::int64_t step, AdamTensor& tensor) {
  check_at_least(op, "steps", step, 1);
  const auto exponent = static_cast<double>(step);
  tensor.step_size = params.lr / (1.0 - std::pow(params.beta1, exponent));
  tensor.bias_correction2_sqrt = std::sqrt(1.0 - std::pow(params.beta2, exponent));
}

}  // namespace fastdl
