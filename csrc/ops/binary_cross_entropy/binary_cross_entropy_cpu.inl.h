#include "core/simd_math.h"
#include "ops/binary_cross_entropy/binary_cross_entropy.h"
#include "primitives/broadcast.inl.h"
#include "primitives/elementwise_loss.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// A chunk's first element outside [0, 1], or none.
constexpr std::int64_t no_position = -1;

FASTDL_INLINE std::int64_t bce_chunks(const BinaryCrossEntropyParams& params) {
  return (params.count + loss_chunk - 1) / loss_chunk;
}

/// The partial sums, then a position for each chunk.
std::size_t binary_cross_entropy_workspace_bytes(const BinaryCrossEntropyParams& params) {
  return elementwise_loss_workspace_bytes(params) +
         static_cast<std::size_t>(bce_chunks(params)) * sizeof(std::int64_t);
}

template <class T>
FASTDL_INLINE IntVec<T> outside_unit_interval(Vec<T> v) {
  return ~((v >= Vec<T>{}) & (v <= broadcast<T>(1)));
}

template <class T>
bool is_probability(T x) {
  return x >= T(0) && x <= T(1);
}

/// The first element in [begin, end) that is no probability in one of the operands.
template <class T>
std::int64_t first_outside(const T* input, const T* target, std::int64_t begin, std::int64_t end) {
  while (begin < end && is_probability(input[begin]) && is_probability(target[begin])) ++begin;
  return begin < end ? begin : no_position;
}

template <class T>
Status bce_forward(const Launch& launch, const BinaryCrossEntropyParams& params, const T* input,
                   const T* target, const T* weight, T* loss) {
  const std::int64_t chunks = bce_chunks(params);
  auto* bad = reinterpret_cast<std::int64_t*>(static_cast<double*>(launch.workspace) + chunks);
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) bad[chunk] = no_position;
  elementwise_loss(launch, params, loss, [&](std::int64_t begin, std::int64_t end, const auto& each) {
    const BroadcastBlock<T, loss_block> w(params.weight, weight, begin, end);
    const Vec<T> lowest = broadcast<T>(-100);
    IntVec<T> outside{};
    each([&](auto vector, std::int64_t i) {
      const Vec<T> x = vector.load(input + i), t = vector.load(target + i);
      outside |= outside_unit_interval<T>(x) | outside_unit_interval<T>(t);
      const Vec<T> log_x = max(log(x), lowest), log_rest = max(log1p(-x), lowest);
      const Vec<T> value = fma(t - T(1), log_rest, -t * log_x);
      return w.given() ? w.load(vector, i) * value : value;
    });
    std::int64_t& position = bad[begin / loss_chunk];
    if (any(outside) && position == no_position) position = first_outside(input, target, begin, end);
  });
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int64_t i = bad[chunk];
    if (i == no_position) continue;
    const bool in_target = is_probability(input[i]);
    return {Status::bad_probability, i, in_target ? 1 : 0,
            static_cast<double>(in_target ? target[i] : input[i])};
  }
  return {};
}

template <class T>
void bce_backward(const BinaryCrossEntropyParams& params, const T* grad_loss, const T* input, const T* target,
                  const T* weight, T* grad_input, T* grad_target) {
  elementwise_loss_backward(params, grad_loss, [&](std::int64_t begin, std::int64_t end, const auto& each) {
    const BroadcastBlock<T, loss_block> w(params.weight, weight, begin, end);
    each([&](auto vector, std::int64_t i, Vec<T> g) {
      const Vec<T> x = vector.load(input + i);
      if (w.given()) g *= w.load(vector, i);
      if (grad_input) {
        const Vec<T> variance = max(x * (T(1) - x), broadcast(static_cast<T>(1e-12)));
        vector.store(grad_input + i, g * (x - vector.load(target + i)) / variance);
      }
      if (grad_target) vector.store(grad_target + i, g * (log1p(-x) - log(x)));
    });
  });
}

Status binary_cross_entropy_forward(const Launch& launch, const BinaryCrossEntropyParams& params,
                                    const void* input, const void* target, const void* weight, void* loss) {
  Status status;
  with_type(params.dtype, [&]<class T>(T) {
    status = bce_forward(launch, params, static_cast<const T*>(input), static_cast<const T*>(target),
                         static_cast<const T*>(weight), static_cast<T*>(loss));
  });
  return status;
}

Status binary_cross_entropy_backward(const Launch&, const BinaryCrossEntropyParams& params,
                                     const void* grad_loss, const void* input, const void* target,
                                     const void* weight, void* grad_input, void* grad_target) {
  with_type(params.dtype, [&]<class T>(T) {
    bce_backward(params, static_cast<const T*>(grad_loss), static_cast<const T*>(input),
                 static_cast<const T*>(target), static_cast<const T*>(weight), static_cast<T*>(grad_input),
                 static_cast<T*>(grad_target));
  });
  return {};
}

}  // namespace

void fill_binary_cross_entropy(BinaryCrossEntropyKernels& kernels) {
  kernels = {binary_cross_entropy_workspace_bytes, binary_cross_entropy_forward,
             binary_cross_entropy_backward};
}

}  // namespace fastdl::FASTDL_ISA
