// The passes of a convolution, for conv2d and for its transpose: as a product of matrices where it is one, or
// as gathers. Workspaces, variants and runs make the same choice.
#pragma once

#include "primitives/convolution_gathers.inl.h"
#include "primitives/convolution_products.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

inline constexpr const char* product_variant = "matrix product";

template <class T>
std::size_t forward_pass_bytes(const ConvolutionGeometry& g) {
  return ConvolutionProduct(g).applies ? 0 : gather_workspace_bytes<T>(forward_gather(g));
}

/// y = convolution of x, plus bias (K, may be null), activated.
template <class T>
void run_forward_pass(const ConvolutionGeometry& g, const Activation& activation, const void* x,
                      const void* weight, const void* bias, void* y, void* workspace) {
  const auto *from = static_cast<const T*>(x), *kernel = static_cast<const T*>(weight),
             *shift = static_cast<const T*>(bias);
  const ConvolutionProduct product(g);
  if (product.applies)
    return run_product_forward(product, activation, from, kernel, shift, static_cast<T*>(y));
  Gather gather = forward_gather(g);
  gather.activation = activation;
  run_gather(gather, from, kernel, shift, static_cast<T*>(y), workspace);
}

template <class T>
std::size_t input_pass_bytes(const ConvolutionGeometry& g) {
  const ConvolutionProduct product(g);
  return product.applies ? static_cast<std::size_t>(product.inputs) * sizeof(T)
                         : backward_workspace_bytes<T>(g);
}

/// x = transposed convolution of y, plus bias (C, may be null), activated.
template <class T>
void run_input_pass(const ConvolutionGeometry& g, const Activation& activation, const void* y,
                    const void* weight, const void* bias, void* x, void* workspace) {
  const auto *from = static_cast<const T*>(y), *kernel = static_cast<const T*>(weight),
             *shift = static_cast<const T*>(bias);
  const ConvolutionProduct product(g);
  if (product.applies)
    return run_product_backward(product, activation, from, kernel, shift, static_cast<T*>(x), workspace);
  run_backward(g, activation, from, kernel, shift, static_cast<T*>(x), workspace);
}

template <class T>
std::size_t weight_pass_bytes(const ConvolutionGeometry& g) {
  return ConvolutionProduct(g).applies ? 0 : gather_weight_workspace_bytes<T>(forward_gather(g));
}

/// The gradient of the weight, from the convolution's x and the gradient of its y.
template <class T>
void run_weight_pass(const ConvolutionGeometry& g, const void* x, const void* grad_y, void* grad_weight,
                     void* workspace) {
  const auto *from = static_cast<const T*>(x), *grad = static_cast<const T*>(grad_y);
  const ConvolutionProduct product(g);
  if (product.applies) return run_product_weight(product, from, grad, static_cast<T*>(grad_weight));
  run_gather_weight(forward_gather(g), from, grad, static_cast<T*>(grad_weight), workspace);
}

/// What runs a pass.
template <class T>
const char* pass_variant(const ConvolutionGeometry& g, ConvolutionPass pass) {
  if (ConvolutionProduct(g).applies) return product_variant;
  switch (pass) {
    case ConvolutionPass::forward:
      return gather_variant<T>(forward_gather(g));
    case ConvolutionPass::grad_input:
      return backward_variant<T>(g);
    case ConvolutionPass::grad_weight:
      return gather_weight_variant<T>(forward_gather(g));
  }
  return "";
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
