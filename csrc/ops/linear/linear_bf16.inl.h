// linear on bfloat16: products of pairs where the processor has them, else the float32 kernels on wider
// copies.
#pragma once

#include "core/cpu_features.h"
#include "ops/linear/linear.h"
#include "primitives/bf16_float32.inl.h"
#include "primitives/bf16_product.inl.h"
#include "primitives/column_sums.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

// The float32 kernels, of linear_cpu.inl.h.
Status linear_forward(const Launch&, const LinearParams&, const Activation&, const void* x,
                      const void* weight, const void* bias, void* y);
Status linear_backward_input(const Launch&, const LinearParams&, const void* grad_y, const void* weight,
                             void* grad_x);
Status linear_backward_weight(const Launch&, const LinearParams&, const void* grad_y, const void* x,
                              void* grad_weight);
Status linear_backward_bias(const Launch&, const LinearParams&, const void* grad_y, void* grad_bias);

#if FASTDL_SIMD_AVX512

FASTDL_INLINE const BFloat16* bf16(const void* elements) {
  return static_cast<const BFloat16*>(elements);
}

/// A C-contiguous matrix: its rows as lines, or its columns.
FASTDL_INLINE PairLines rows_of(const void* elements, std::int64_t columns) {
  return {bf16(elements), columns, 1, columns};
}
FASTDL_INLINE PairLines columns_of(const void* elements, std::int64_t rows, std::int64_t columns) {
  return {bf16(elements), 1, columns, rows};
}

__attribute__((noinline)) FASTDL_BF16_DOT float dot_line(const BFloat16* a, const BFloat16* b,
                                                         std::int64_t count) {
  constexpr int words = 2 * lanes<float>;
  Vec<float> sums[4] = {};
  for (; count >= 4 * words; count -= 4 * words, a += 4 * words, b += 4 * words) {
    prefetch_ahead<4>(reinterpret_cast<const float*>(b));
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      sums[j] = dot_pairs(sums[j], load_words(a + j * words, ~0u), load_words(b + j * words, ~0u));
  }
  for (; count > 0; count -= words, a += words, b += words) {
    const std::uint32_t mask = mask_of_first(count);
    sums[0] = dot_pairs(sums[0], load_words(a, mask), load_words(b, mask));
  }
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/// One row of C: b's lines are read as they lie, for to turn them takes longer than to multiply them once.
inline void multiply_row_bf16(std::int64_t columns, const PairLines& a, const PairLines& b,
                              const BFloat16* bias, BFloat16* c) {
  constexpr std::int64_t chunk_work = 1 << 16, n = lanes<float>;
  const std::int64_t vectors =
      std::max<std::int64_t>(1, chunk_work / (n * std::max<std::int64_t>(1, a.depth)));
  parallel_for(ceil_div(columns, vectors * n), [&](std::int64_t chunk) {
    const std::int64_t end = std::min(columns, (chunk + 1) * vectors * n);
    for (std::int64_t column = chunk * vectors * n; column < end; column += n) {
      const int count = static_cast<int>(std::min(n, end - column));
      Vec<float> sums = bias ? load_bf16(bias + column, count) : Vec<float>{};
      for (int i = 0; i < count; ++i)
        sums[i] += dot_line(a.elements, b.elements + (column + i) * b.line_stride, a.depth);
      store_bf16(c + column, sums, count);
    }
  });
}

/// C (a's lines, b's lines; C-contiguous) = A B + bias (columns, may be null). `workspace`: packed A.
inline void multiply_lines_bf16(const PairPlan& plan, const PairLines& a, const PairLines& b,
                                const BFloat16* bias, BFloat16* c, void* workspace) {
  if (plan.rows == 1 && a.depth_stride == 1 && b.depth_stride == 1)
    return multiply_row_bf16(plan.columns, a, b, bias, c);
  const auto pack_with = [](const PairLines& lines) {
    return [&lines](std::int64_t k, std::int64_t pairs, std::int64_t line, int count, std::int64_t pitch,
                    std::uint32_t* to) { lines.pack(k, pairs, line, count, pitch, to); };
  };
  const auto write = [&](const PairSums& sums) {
    constexpr int n = lanes<float>;
    const int low = std::min(n, sums.columns), high = sums.columns - low;
    const BFloat16* const at = bias ? bias + sums.column : nullptr;
    const Vec<float> low_bias = at ? load_bf16(at, low) : Vec<float>{},
                     high_bias = at && high > 0 ? load_bf16(at + n, high) : Vec<float>{};
    for (std::int64_t i = 0; i < sums.rows; ++i) {
      const float* values = sums.values + i * sums.pitch;
      const Vec<float> first = load(values) + low_bias,
                       second = high > 0 ? load(values + n) + high_bias : Vec<float>{};
      store_words(c + (sums.row + i) * plan.columns + sums.column, rounded_words(first, second),
                  mask_of_first(sums.columns));
    }
  };
  multiply_pairs(plan, pack_with(a), pack_with(b), write, static_cast<std::uint32_t*>(workspace));
}

FASTDL_INLINE PairPlan linear_forward_plan(const LinearParams& p) {
  return plan_pairs(p.rows, p.out_features, (p.in_features + 1) / 2, false);
}
FASTDL_INLINE PairPlan linear_input_plan(const LinearParams& p) {
  return plan_pairs(p.rows, p.in_features, (p.out_features + 1) / 2, false);
}
FASTDL_INLINE PairPlan linear_weight_plan(const LinearParams& p) {
  return plan_pairs(p.out_features, p.in_features, (p.rows + 1) / 2, false);
}
FASTDL_INLINE std::size_t packed_bytes(const PairPlan& plan) {
  return static_cast<std::size_t>(plan.a_size()) * sizeof(std::uint32_t);
}

#endif

FASTDL_INLINE LinearParams as_float32(LinearParams p) {
  p.dtype = DType::float32;
  return p;
}

FASTDL_INLINE WidenedSizes linear_forward_elements(const LinearParams& p) {
  return {p.rows * p.in_features, p.out_features * p.in_features, p.out_features, p.rows * p.out_features};
}
FASTDL_INLINE WidenedSizes linear_input_elements(const LinearParams& p) {
  return {p.rows * p.out_features, p.out_features * p.in_features, 0, p.rows * p.in_features};
}
FASTDL_INLINE WidenedSizes linear_weight_elements(const LinearParams& p) {
  return {p.rows * p.out_features, p.rows * p.in_features, 0, p.out_features * p.in_features};
}
FASTDL_INLINE WidenedSizes linear_bias_elements(const LinearParams& p) {
  return {p.rows * p.out_features, 0, 0, p.out_features};
}

inline std::size_t linear_bf16_forward_bytes(const LinearParams& p) {
#if FASTDL_SIMD_AVX512
  if (bf16_dot()) return packed_bytes(linear_forward_plan(p));
#endif
  return widened_bytes(linear_forward_elements(p), 0);
}

inline std::size_t linear_bf16_input_bytes(const LinearParams& p) {
#if FASTDL_SIMD_AVX512
  if (bf16_dot()) return packed_bytes(linear_input_plan(p));
#endif
  return widened_bytes(linear_input_elements(p), 0);
}

inline std::size_t linear_bf16_weight_bytes(const LinearParams& p) {
#if FASTDL_SIMD_AVX512
  if (bf16_dot()) return packed_bytes(linear_weight_plan(p));
#endif
  return widened_bytes(linear_weight_elements(p), 0);
}

inline std::size_t linear_bf16_bias_bytes(const LinearParams& p) {
  return widened_bytes(linear_bias_elements(p), column_sums_workspace_bytes<float>(p.rows, p.out_features));
}

inline void linear_bf16_forward(const Launch& launch, const LinearParams& p, const void* x,
                                const void* weight, const void* bias, void* y) {
#if FASTDL_SIMD_AVX512
  if (bf16_dot())
    return multiply_lines_bf16(linear_forward_plan(p), rows_of(x, p.in_features),
                               rows_of(weight, p.in_features), static_cast<const BFloat16*>(bias),
                               static_cast<BFloat16*>(y), launch.workspace);
#endif
  run_widened(launch, linear_forward_elements(p), x, weight, bias, y,
              [&](const Launch& own, const float* a, const float* b, const float* bias_values, float* c) {
                linear_forward(own, as_float32(p), Activation{}, a, b, bias_values, c);
              });
}

inline void linear_bf16_input(const Launch& launch, const LinearParams& p, const void* grad_y,
                              const void* weight, void* grad_x) {
#if FASTDL_SIMD_AVX512
  if (bf16_dot())
    return multiply_lines_bf16(linear_input_plan(p), rows_of(grad_y, p.out_features),
                               columns_of(weight, p.out_features, p.in_features), nullptr,
                               static_cast<BFloat16*>(grad_x), launch.workspace);
#endif
  run_widened(launch, linear_input_elements(p), grad_y, weight, nullptr, grad_x,
              [&](const Launch& own, const float* a, const float* b, const float*, float* c) {
                linear_backward_input(own, as_float32(p), a, b, c);
              });
}

inline void linear_bf16_weight(const Launch& launch, const LinearParams& p, const void* grad_y, const void* x,
                               void* grad_weight) {
#if FASTDL_SIMD_AVX512
  if (bf16_dot())
    return multiply_lines_bf16(linear_weight_plan(p), columns_of(grad_y, p.rows, p.out_features),
                               columns_of(x, p.rows, p.in_features), nullptr,
                               static_cast<BFloat16*>(grad_weight), launch.workspace);
#endif
  run_widened(launch, linear_weight_elements(p), grad_y, x, nullptr, grad_weight,
              [&](const Launch& own, const float* a, const float* b, const float*, float* c) {
                linear_backward_weight(own, as_float32(p), a, b, c);
              });
}

inline void linear_bf16_bias(const Launch& launch, const LinearParams& p, const void* grad_y,
                             void* grad_bias) {
  run_widened(launch, linear_bias_elements(p), grad_y, nullptr, nullptr, grad_bias,
              [&](const Launch& own, const float* a, const float*, const float*, float* c) {
                linear_backward_bias(own, as_float32(p), a, c);
              });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
