#include "ops/activation/activation.h"

#include "core/check.h"

namespace fastdl {

const char* name(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::none:
      break;
    case ActivationKind::relu:
      return "relu";
    case ActivationKind::leaky_relu:
      return "leaky_relu";
    case ActivationKind::sigmoid:
      return "sigmoid";
    case ActivationKind::tanh:
      return "tanh";
  }
  return "activation";
}

ActivationParams activation_params(Activation activation, DType dtype, std::int64_t elements) {
  check_floating(name(activation.kind), "input", dtype);
  return {activation, dtype, elements};
}

}  // namespace fastdl
