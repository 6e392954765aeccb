#pragma once

#include "core/macros.h"

namespace fastdl {

/// The activated gates of a hidden unit, or of a vector of them: V is a scalar or a vector.
template <class V>
struct LstmGates {
  V i, f, g, o;
};

/// c_t = f c_{t-1} + i g.
template <class V>
FASTDL_HOST_DEVICE V lstm_cell_state(const LstmGates<V>& gates, V previous_cell) {
  return gates.f * previous_cell + gates.i * gates.g;
}

/// The gradients of the four sums that the activations were taken of, from those of h_t and c_t. `grad_cell`
/// comes in as what later steps gave for c_t and goes out as the gradient of c_{t-1}.
template <class V>
FASTDL_HOST_DEVICE LstmGates<V> lstm_gate_gradients(const LstmGates<V>& gates, V previous_cell, V tanh_cell,
                                                    V grad_hidden, V& grad_cell) {
  const V grad = grad_cell + grad_hidden * gates.o * (1.0f - tanh_cell * tanh_cell);
  grad_cell = grad * gates.f;
  return {grad * gates.g * gates.i * (1.0f - gates.i), grad * previous_cell * gates.f * (1.0f - gates.f),
          grad * gates.i * (1.0f - gates.g * gates.g), grad_hidden * tanh_cell * gates.o * (1.0f - gates.o)};
}

}  // namespace fastdl
