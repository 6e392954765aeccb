#include "core/simd_math.h"
#include "ops/binary_cross_entropy_with_logits/binary_cross_entropy_with_logits.h"
#include "primitives/broadcast.inl.h"
#include "primitives/elementwise_loss.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

std::size_t binary_cross_entropy_with_logits_workspace_bytes(
    const BinaryCrossEntropyWithLogitsParams& params) {
  return elementwise_loss_workspace_bytes(params);
}

/// The operands with their types restored, and the weights of one block of elements.
template <class T>
struct LogitsProblem {
  const BinaryCrossEntropyWithLogitsParams& params;
  const T *input, *target, *weight, *pos_weight;

  struct Weights {
    BroadcastBlock<T, loss_block> all, positive;
  };
  Weights weights(std::int64_t begin, std::int64_t end) const {
    return {{params.weight, weight, begin, end}, {params.pos_weight, pos_weight, begin, end}};
  }
};

template <class T>
void logits_forward(const Launch& launch, const LogitsProblem<T>& problem, T* loss) {
  elementwise_loss(launch, problem.params, loss, [&](std::int64_t begin, std::int64_t end, const auto& each) {
    const auto weights = problem.weights(begin, end);
    each([&](auto vector, std::int64_t i) {
      const Vec<T> x = vector.load(problem.input + i), t = vector.load(problem.target + i);
      const Vec<T> common = log1p_exp_neg_abs(x);
      const Vec<T> positive = weights.positive.given() ? weights.positive.load(vector, i) * t : t;
      // Of max, the second argument is the one that keeps NaN.
      const Vec<T> softplus_minus = max(Vec<T>{}, -x) + common, softplus_plus = max(Vec<T>{}, x) + common;
      const Vec<T> value = fma(positive, softplus_minus, (T(1) - t) * softplus_plus);
      return weights.all.given() ? weights.all.load(vector, i) * value : value;
    });
  });
}

/// dl/dx = w ((1 - t) sigmoid(x) - p t sigmoid(-x)), which cancels nothing;
/// dl/dt = w (p softplus(-x) - softplus(x)) = w ((p - 1) softplus(-x) - x).
template <class T>
void logits_backward(const LogitsProblem<T>& problem, const T* grad_loss, T* grad_input, T* grad_target) {
  elementwise_loss_backward(
      problem.params, grad_loss, [&](std::int64_t begin, std::int64_t end, const auto& each) {
        const auto weights = problem.weights(begin, end);
        each([&](auto vector, std::int64_t i, Vec<T> g) {
          const Vec<T> x = vector.load(problem.input + i), t = vector.load(problem.target + i);
          if (weights.all.given()) g *= weights.all.load(vector, i);
          const Vec<T> p = weights.positive.given() ? weights.positive.load(vector, i) : broadcast<T>(1);
          if (grad_input) {
            const Vec<T> power = exp(-abs(x)), large = T(1) / (power + T(1)), small = power * large;
            const IntVec<T> negative = x < Vec<T>{};
            const Vec<T> sigmoid_plus = select(negative, small, large);
            const Vec<T> sigmoid_minus = select(negative, large, small);
            vector.store(grad_input + i, g * fma(T(1) - t, sigmoid_plus, -(p * t) * sigmoid_minus));
          }
          if (grad_target) {
            const Vec<T> softplus_minus = max(Vec<T>{}, -x) + log1p_exp_neg_abs(x);
            vector.store(grad_target + i,
                         g * (weights.positive.given() ? fma(p - T(1), softplus_minus, -x) : -x));
          }
        });
      });
}

Status binary_cross_entropy_with_logits_forward(const Launch& launch,
                                                const BinaryCrossEntropyWithLogitsParams& params,
                                                const void* input, const void* target, const void* weight,
                                                const void* pos_weight, void* loss) {
  with_type(params.dtype, [&]<class T>(T) {
    const LogitsProblem<T> problem{params, static_cast<const T*>(input), static_cast<const T*>(target),
                                   static_cast<const T*>(weight), static_cast<const T*>(pos_weight)};
    logits_forward(launch, problem, static_cast<T*>(loss));
  });
  return {};
}

Status binary_cross_entropy_with_logits_backward(const Launch&,
                                                 const BinaryCrossEntropyWithLogitsParams& params,
                                                 const void* grad_loss, const void* input, const void* target,
                                                 const void* weight, const void* pos_weight, void* grad_input,
                                                 void* grad_target) {
  with_type(params.dtype, [&]<class T>(T) {
    const LogitsProblem<T> problem{params, static_cast<const T*>(input), static_cast<const T*>(target),
                                   static_cast<const T*>(weight), static_cast<const T*>(pos_weight)};
    logits_backward(problem, static_cast<const T*>(grad_loss), static_cast<T*>(grad_input),
                    static_cast<T*>(grad_target));
  });
  return {};
}

}  // namespace

void fill_binary_cross_entropy_with_logits(BinaryCrossEntropyWithLogitsKernels& kernels) {
  kernels = {binary_cross_entropy_with_logits_workspace_bytes, binary_cross_entropy_with_logits_forward,
             binary_cross_entropy_with_logits_backward};
}

}  // namespace fastdl::FASTDL_ISA
