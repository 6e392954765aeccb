#include "ops/conv_transpose2d/conv_transpose2d.h"
#include "primitives/convolution_passes.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

std::size_t conv_transpose2d_forward_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = input_pass_bytes<T>(g); });
  return bytes;
}

Status conv_transpose2d_forward(const Launch& launch, const ConvolutionGeometry& g,
                                const Activation& activation, const void* x, const void* weight,
                                const void* bias, void* y) {
  with_type(g.dtype,
            [&]<class T>(T) { run_input_pass<T>(g, activation, x, weight, bias, y, launch.workspace); });
  return {};
}

std::size_t conv_transpose2d_backward_input_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = forward_pass_bytes<T>(g); });
  return bytes;
}

Status conv_transpose2d_backward_input(const Launch& launch, const ConvolutionGeometry& g, const void* grad_y,
                                       const void* weight, void* grad_x) {
  with_type(g.dtype, [&]<class T>(T) {
    run_forward_pass<T>(g, {}, grad_y, weight, nullptr, grad_x, launch.workspace);
  });
  return {};
}

std::size_t conv_transpose2d_backward_weight_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = weight_pass_bytes<T>(g); });
  return bytes;
}

Status conv_transpose2d_backward_weight(const Launch& launch, const ConvolutionGeometry& g,
                                        const void* grad_y, const void* x, void* grad_weight) {
  with_type(g.dtype, [&]<class T>(T) { run_weight_pass<T>(g, grad_y, x, grad_weight, launch.workspace); });
  return {};
}

Status conv_transpose2d_backward_bias(const Launch&, const ConvolutionGeometry& g, const void* grad_y,
                                      void* grad_bias) {
  with_type(g.dtype, [&]<class T>(T) {
    sum_channels(g.format, static_cast<const T*>(grad_y), g.N, g.C, g.H * g.W, static_cast<T*>(grad_bias));
  });
  return {};
}

const char* conv_transpose2d_variant(const ConvolutionGeometry& g, ConvolutionPass pass) {
  // The convolution whose backward it is has the first two passes exchanged.
  const ConvolutionPass of = pass == ConvolutionPass::forward      ? ConvolutionPass::grad_input
                             : pass == ConvolutionPass::grad_input ? ConvolutionPass::forward
                                                                   : pass;
  const char* variant = "";
  with_type(g.dtype, [&]<class T>(T) { variant = pass_variant<T>(g, of); });
  return variant;
}

}  // namespace

void fill_conv_transpose2d(ConvTranspose2dKernels& kernels) {
  kernels = {conv_transpose2d_forward_workspace_bytes,
             conv_transpose2d_forward,
             conv_transpose2d_backward_input_workspace_bytes,
             conv_transpose2d_backward_input,
             conv_transpose2d_backward_weight_workspace_bytes,
             conv_transpose2d_backward_weight,
             conv_transpose2d_backward_bias,
             conv_transpose2d_variant};
}

}  // namespace fastdl::FASTDL_ISA
