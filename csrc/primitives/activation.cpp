#include "primitives/activation.h"

#include "core/check.h"
#include "core/error.h"
#include "core/shape.h"

namespace fastdl {

void check_activation(const char* op, const Activation& activation, DType dtype) {
  if (activation.kind == ActivationKind::none) return;
  const auto kind = static_cast<std::int32_t>(activation.kind);
  if (kind < 0 || kind > static_cast<std::int32_t>(ActivationKind::tanh))
    throw ValueError(concat("[", op, "] activation: expected a kind from 0 to 4, got ", kind));
  if (activation.kind == ActivationKind::leaky_relu && !(activation.negative_slope >= 0))
    throw ValueError(
        concat("[", op, "] negative_slope: expected at least 0, got ", activation.negative_slope));
  check_floating(op, "input of an activation", dtype);
}

}  // namespace fastdl
