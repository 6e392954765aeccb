// What the forward and the backward pass over a sequence share.
#pragma once

#include <algorithm>
#include <type_traits>

#include "core/simd_bf16.h"
#include "core/simd_math.h"
#include "ops/lstm/lstm.h"
#include "ops/lstm/lstm_math.h"
#include "primitives/gemm.inl.h"
#include "primitives/recurrent.inl.h"
#include "primitives/recurrent_pairs.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Scratch memory, handed out piece by piece; with a null base it only counts.
struct LstmScratch {
  char* base;
  std::size_t bytes = 0;

  template <class T>
  T* take(std::int64_t count) {
    T* piece = base ? reinterpret_cast<T*>(base + bytes) : nullptr;
    bytes += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return piece;
  }
};

/// How a pass works that computes in T on arrays of S: those of bfloat16 are multiplied in pairs.
template <class T, class S>
struct LstmTypes {
  static constexpr bool pairs = !std::is_same_v<T, S>;
  using Factor = std::conditional_t<pairs, std::uint32_t, T>;  // of the steps' products
  static constexpr std::int64_t in_factor = pairs ? 2 : 1;     // elements
};

/// Step `s` of the walk as a time, and as the first row of the arrays over time.
FASTDL_INLINE std::int64_t lstm_first_row(const LstmParams& p, std::int64_t s) {
  return (p.reverse ? p.T - 1 - s : s) * p.N;
}

/// h or c of the step before: N rows, `stride` apart; null for zeros.
template <class T>
struct LstmState {
  const T* rows;
  std::int64_t stride;

  auto at(std::int64_t row, std::int64_t unit, int count) const {
    using V = decltype(load_up_to(rows, count));
    return rows ? V(load_up_to(rows + row * stride + unit, count)) : V{};
  }
};

template <class T>
LstmState<T> hidden_before(const LstmParams& p, std::int64_t s, const void* h_0, const void* output) {
  if (s == 0) return {static_cast<const T*>(h_0), p.H};
  return {static_cast<const T*>(output) + lstm_first_row(p, s - 1) * p.output_stride(), p.output_stride()};
}

template <class T>
LstmState<T> cell_before(const LstmParams& p, std::int64_t s, const void* c_0, const void* reserve) {
  if (s == 0) return {static_cast<const T*>(c_0), p.H};
  return {static_cast<const T*>(reserve) + lstm_first_row(p, s - 1) * p.reserve_row() + 4 * p.H,
          p.reserve_row()};
}

/// `count` elements, of which either side may be bfloat16.
template <class T, class From, class To>
void convert(const From* from, std::int64_t count, To* to) {
  for (std::int64_t i = 0; i < count; i += lanes<T>) {
    const int n = static_cast<int>(std::min<std::int64_t>(lanes<T>, count - i));
    store_up_to(to + i, Vec<T>(load_up_to(from + i, n)), n);
  }
}

template <class T, class From, class To>
void copy_lstm_state(const LstmParams& p, const LstmState<From>& state, To* to) {
  for (std::int64_t n = 0; to && n < p.N; ++n) convert<T>(state.rows + n * state.stride, p.H, to + n * p.H);
}

/// As it is kept by a pass that computes on wider copies of bfloat16.
template <class T>
FASTDL_INLINE Vec<T> lstm_stored(const LstmParams& p, Vec<T> v) {
  if constexpr (std::is_same_v<T, float>)
    if (p.rounded) return widened(rounded_to_bf16(v));
  return v;
}

/// Whether a step's product takes the input in too, rather than a product of its own before: it saves writing
/// and reading the input's share, and costs reading weight_ih in every step.
FASTDL_INLINE bool lstm_fuses_input(const LstmParams& p) {
  const std::int64_t weight_bytes = 4 * p.H * (p.I + p.H) * static_cast<std::int64_t>(item_size(p.dtype));
  return weight_bytes < (std::int64_t{24} << 20) ? p.N >= 8 : p.N >= 48;
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
