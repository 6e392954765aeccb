#include "ops/conv2d/conv2d.h"
#include "ops/conv2d/conv2d_bf16.inl.h"
#include "primitives/convolution_passes.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE bool is_bf16(const ConvolutionGeometry& g) {
  return g.dtype == DType::bfloat16;
}

std::size_t conv2d_forward_workspace_bytes(const ConvolutionGeometry& g) {
  if (is_bf16(g)) return conv2d_bf16_forward_bytes(g);
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = forward_pass_bytes<T>(g); });
  return bytes;
}

Status conv2d_forward(const Launch& launch, const ConvolutionGeometry& g, const Activation& activation,
                      const void* x, const void* weight, const void* bias, void* y) {
  if (is_bf16(g)) return conv2d_bf16_forward(launch, g, x, weight, bias, y), Status{};
  with_type(g.dtype,
            [&]<class T>(T) { run_forward_pass<T>(g, activation, x, weight, bias, y, launch.workspace); });
  return {};
}

std::size_t conv2d_backward_input_workspace_bytes(const ConvolutionGeometry& g) {
  if (is_bf16(g)) return conv2d_bf16_input_bytes(g);
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = input_pass_bytes<T>(g); });
  return bytes;
}

Status conv2d_backward_input(const Launch& launch, const ConvolutionGeometry& g, const void* grad_y,
                             const void* weight, void* grad_x) {
  if (is_bf16(g)) return conv2d_bf16_input(launch, g, grad_y, weight, grad_x), Status{};
  with_type(g.dtype,
            [&]<class T>(T) { run_input_pass<T>(g, {}, grad_y, weight, nullptr, grad_x, launch.workspace); });
  return {};
}

std::size_t conv2d_backward_weight_workspace_bytes(const ConvolutionGeometry& g) {
  if (is_bf16(g)) return conv2d_bf16_weight_bytes(g);
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = weight_pass_bytes<T>(g); });
  return bytes;
}

Status conv2d_backward_weight(const Launch& launch, const ConvolutionGeometry& g, const void* grad_y,
                              const void* x, void* grad_weight) {
  if (is_bf16(g)) return conv2d_bf16_weight(launch, g, grad_y, x, grad_weight), Status{};
  with_type(g.dtype, [&]<class T>(T) { run_weight_pass<T>(g, x, grad_y, grad_weight, launch.workspace); });
  return {};
}

Status conv2d_backward_bias(const Launch&, const ConvolutionGeometry& g, const void* grad_y,
                            void* grad_bias) {
  if (is_bf16(g)) {
    sum_bf16_planes(static_cast<const BFloat16*>(grad_y), g.N, g.K, g.P * g.Q,
                    static_cast<BFloat16*>(grad_bias));
    return {};
  }
  with_type(g.dtype, [&]<class T>(T) {
    sum_channels(g.format, static_cast<const T*>(grad_y), g.N, g.K, g.P * g.Q, static_cast<T*>(grad_bias));
  });
  return {};
}

const char* conv2d_variant(const ConvolutionGeometry& g, ConvolutionPass pass) {
  const char* variant = "";
  with_type(g.dtype, [&]<class T>(T) { variant = pass_variant<T>(g, pass); });
  return variant;
}

}  // namespace

void fill_conv2d(Conv2dKernels& kernels) {
  kernels = {conv2d_forward_workspace_bytes,
             conv2d_forward,
             conv2d_backward_input_workspace_bytes,
             conv2d_backward_input,
             conv2d_backward_weight_workspace_bytes,
             conv2d_backward_weight,
             conv2d_backward_bias,
             conv2d_variant};
}

}  // namespace fastdl::FASTDL_ISA
