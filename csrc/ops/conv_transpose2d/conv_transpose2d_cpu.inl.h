#include "ops/conv_transpose2d/conv_transpose2d.h"
#include "primitives/convolution_gathers.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

std::size_t conv_transpose2d_forward_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = backward_workspace_bytes<T>(g); });
  return bytes;
}

Status conv_transpose2d_forward(const Launch& launch, const ConvolutionGeometry& g, const void* x,
                                const void* weight, const void* bias, void* y) {
  with_type(g.dtype, [&]<class T>(T) {
    run_backward(g, static_cast<const T*>(x), static_cast<const T*>(weight), static_cast<const T*>(bias),
                 static_cast<T*>(y), launch.workspace);
  });
  return {};
}

std::size_t conv_transpose2d_backward_input_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = gather_workspace_bytes<T>(forward_gather(g)); });
  return bytes;
}

Status conv_transpose2d_backward_input(const Launch& launch, const ConvolutionGeometry& g, const void* grad_y,
                                       const void* weight, void* grad_x) {
  with_type(g.dtype, [&]<class T>(T) {
    run_gather(forward_gather(g), static_cast<const T*>(grad_y), static_cast<const T*>(weight),
               static_cast<const T*>(nullptr), static_cast<T*>(grad_x), launch.workspace);
  });
  return {};
}

std::size_t conv_transpose2d_backward_weight_workspace_bytes(const ConvolutionGeometry& g) {
  std::size_t bytes = 0;
  with_type(g.dtype, [&]<class T>(T) { bytes = gather_weight_workspace_bytes<T>(forward_gather(g)); });
  return bytes;
}

Status conv_transpose2d_backward_weight(const Launch& launch, const ConvolutionGeometry& g,
                                        const void* grad_y, const void* x, void* grad_weight) {
  with_type(g.dtype, [&]<class T>(T) {
    run_gather_weight(forward_gather(g), static_cast<const T*>(grad_y), static_cast<const T*>(x),
                      static_cast<T*>(grad_weight), launch.workspace);
  });
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
  const char* variant = "";
  with_type(g.dtype, [&]<class T>(T) {
    variant = pass == ConvolutionPass::forward      ? backward_variant<T>(g)
              : pass == ConvolutionPass::grad_input ? gather_variant<T>(forward_gather(g))
                                                    : gather_weight_variant<T>(forward_gather(g));
  });
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
