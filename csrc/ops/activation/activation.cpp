#include "ops/activation/activation.h"

#include "core/check.h"

namespace fastdl {

const char* name(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return "relu";
    case Activation::leaky_relu:
      return "leaky_relu";
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::tanh:
      return "tanh";
  }
  return "activation";
}

ActivationParams activation_params(Activation activation, DType dtype, std::int64_t elements,
                                   double negative_slope) {
  check_floating(name(activation), "input", dtype);
  return {activation, dtype, elements, negative_slope};
}

}  // namespace fastdl
