// conv2d on bfloat16: products of pairs where the processor has them and they pay, else the float32 kernels
// on wider copies.
#pragma once

#include "core/cpu_features.h"
#include "ops/conv2d/conv2d.h"
#include "primitives/bf16_float32.inl.h"
#include "primitives/bf16_gather.inl.h"
#include "primitives/bf16_gather_weight.inl.h"
#include "primitives/convolution_gathers.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

// The float32 kernels, of conv2d_cpu.inl.h.
std::size_t conv2d_forward_workspace_bytes(const ConvolutionGeometry&);
Status conv2d_forward(const Launch&, const ConvolutionGeometry&, const Activation&, const void* x,
                      const void* weight, const void* bias, void* y);
std::size_t conv2d_backward_input_workspace_bytes(const ConvolutionGeometry&);
Status conv2d_backward_input(const Launch&, const ConvolutionGeometry&, const void* grad_y,
                             const void* weight, void* grad_x);
std::size_t conv2d_backward_weight_workspace_bytes(const ConvolutionGeometry&);
Status conv2d_backward_weight(const Launch&, const ConvolutionGeometry&, const void* grad_y, const void* x,
                              void* grad_weight);

FASTDL_INLINE ConvolutionGeometry as_float32(ConvolutionGeometry g) {
  g.dtype = DType::float32;
  return g;
}

inline constexpr std::int64_t least_rows = 8, least_weight_rows = 32;

/// Whether products of pairs pay: a panel is packed for each `rows`, of which it takes `least`, and one
/// channel alone leaves pairs half empty.
FASTDL_INLINE bool pairs_pay(std::int64_t rows, std::int64_t least, std::int64_t channels) {
#if FASTDL_SIMD_AVX512
  return bf16_dot() && rows >= least && channels >= 2;
#else
  return rows < 0 && least < 0 && channels < 0;
#endif
}

FASTDL_INLINE WidenedSizes conv2d_forward_elements(const ConvolutionGeometry& g) {
  return {g.x_shape().numel(), g.weight_shape().numel(), g.K, g.y_shape().numel()};
}
FASTDL_INLINE WidenedSizes conv2d_input_elements(const ConvolutionGeometry& g) {
  return {g.y_shape().numel(), g.weight_shape().numel(), 0, g.x_shape().numel()};
}
FASTDL_INLINE WidenedSizes conv2d_weight_elements(const ConvolutionGeometry& g) {
  return {g.y_shape().numel(), g.x_shape().numel(), 0, g.weight_shape().numel()};
}

inline std::size_t conv2d_bf16_forward_bytes(const ConvolutionGeometry& g) {
#if FASTDL_SIMD_AVX512
  if (pairs_pay(g.output_channels(), least_rows, g.input_channels()))
    return pair_gather_workspace_bytes(forward_gather(g));
#endif
  return widened_bytes(conv2d_forward_elements(g), conv2d_forward_workspace_bytes(as_float32(g)));
}

inline std::size_t conv2d_bf16_input_bytes(const ConvolutionGeometry& g) {
#if FASTDL_SIMD_AVX512
  if (pairs_pay(g.input_channels(), least_rows, g.output_channels())) {
    std::size_t bytes = 0;
    for_backward_gathers(
        g, [&](const Gather& gather) { bytes = std::max(bytes, pair_gather_workspace_bytes(gather)); });
    return bytes;
  }
#endif
  return widened_bytes(conv2d_input_elements(g), conv2d_backward_input_workspace_bytes(as_float32(g)));
}

inline std::size_t conv2d_bf16_weight_bytes(const ConvolutionGeometry& g) {
#if FASTDL_SIMD_AVX512
  if (pairs_pay(g.output_channels(), least_weight_rows, g.input_channels()))
    return pair_weight_workspace_bytes(forward_gather(g));
#endif
  return widened_bytes(conv2d_weight_elements(g), conv2d_backward_weight_workspace_bytes(as_float32(g)));
}

inline void conv2d_bf16_forward(const Launch& launch, const ConvolutionGeometry& g, const void* x,
                                const void* weight, const void* bias, void* y) {
#if FASTDL_SIMD_AVX512
  if (pairs_pay(g.output_channels(), least_rows, g.input_channels()))
    return run_pair_gather(forward_gather(g), static_cast<const BFloat16*>(x),
                           static_cast<const BFloat16*>(weight), static_cast<const BFloat16*>(bias),
                           static_cast<BFloat16*>(y), launch.workspace);
#endif
  run_widened(launch, conv2d_forward_elements(g), x, weight, bias, y,
              [&](const Launch& own, const float* a, const float* b, const float* bias_values, float* c) {
                conv2d_forward(own, as_float32(g), Activation{}, a, b, bias_values, c);
              });
}

inline void conv2d_bf16_input(const Launch& launch, const ConvolutionGeometry& g, const void* grad_y,
                              const void* weight, void* grad_x) {
#if FASTDL_SIMD_AVX512
  if (pairs_pay(g.input_channels(), least_rows, g.output_channels()))
    return for_backward_gathers(g, [&](const Gather& gather) {
      run_pair_gather(gather, static_cast<const BFloat16*>(grad_y), static_cast<const BFloat16*>(weight),
                      nullptr, static_cast<BFloat16*>(grad_x), launch.workspace);
    });
#endif
  run_widened(launch, conv2d_input_elements(g), grad_y, weight, nullptr, grad_x,
              [&](const Launch& own, const float* a, const float* b, const float*, float* c) {
                conv2d_backward_input(own, as_float32(g), a, b, c);
              });
}

inline void conv2d_bf16_weight(const Launch& launch, const ConvolutionGeometry& g, const void* grad_y,
                               const void* x, void* grad_weight) {
#if FASTDL_SIMD_AVX512
  if (pairs_pay(g.output_channels(), least_weight_rows, g.input_channels()))
    return run_pair_weight(forward_gather(g), static_cast<const BFloat16*>(x),
                           static_cast<const BFloat16*>(grad_y), static_cast<BFloat16*>(grad_weight),
                           launch.workspace);
#endif
  run_widened(launch, conv2d_weight_elements(g), grad_y, x, nullptr, grad_weight,
              [&](const Launch& own, const float* a, const float* b, const float*, float* c) {
                conv2d_backward_weight(own, as_float32(g), a, b, c);
              });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
