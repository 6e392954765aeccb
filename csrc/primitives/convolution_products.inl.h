// Convolutions whose kernel is as large as the image: one product of matrices.
#pragma once

#include "primitives/convolution.h"
#include "primitives/matrix_product.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// y (images, outputs) = x (images, inputs) times the weight (outputs, inputs), turned; `taps` neighbours of
/// the inputs belong to one channel.
struct ConvolutionProduct {
  bool applies;
  std::int64_t images, inputs, outputs, taps;

  explicit ConvolutionProduct(const ConvolutionGeometry& g) {
    taps = g.R * g.S;
    applies = g.groups == 1 && g.padding_h == 0 && g.padding_w == 0 && g.R == g.H && g.S == g.W && g.P == 1 &&
              g.Q == 1 && (g.format == MemoryFormat::contiguous || taps == 1);
    images = g.N, inputs = g.C * taps, outputs = g.K;
  }
};

template <class T>
void multiply_into(const ProductSizes& sizes, const Activation& activation, const Matrix<T>& a,
                   const Matrix<T>& b, const T* bias, T* c) {
  multiply_matrices(
      sizes, [&](std::int64_t) { return a; }, [&](std::int64_t) { return b; }, bias, c, activation);
}

/// y = x weight^T + bias (outputs, may be null), activated.
template <class T>
void run_product_forward(const ConvolutionProduct& p, const Activation& activation, const T* x,
                         const T* weight, const T* bias, T* y) {
  multiply_into<T>({1, p.images, p.outputs, p.inputs}, activation, {x, p.inputs, 1}, {weight, 1, p.inputs},
                   bias, y);
}

/// x = y weight + bias (one value a channel, may be null), activated. `workspace`: an element for every
/// input, where there is a bias.
template <class T>
void run_product_backward(const ConvolutionProduct& p, const Activation& activation, const T* y,
                          const T* weight, const T* bias, T* x, void* workspace) {
  T* const repeated = bias ? static_cast<T*>(workspace) : nullptr;
  for (std::int64_t i = 0; bias && i < p.inputs; ++i) repeated[i] = bias[i / p.taps];
  multiply_into<T>({1, p.images, p.inputs, p.outputs}, activation, {y, p.outputs, 1}, {weight, p.inputs, 1},
                   repeated, x);
}

/// grad_weight = y^T x.
template <class T>
void run_product_weight(const ConvolutionProduct& p, const T* x, const T* y, T* grad_weight) {
  multiply_into<T>({1, p.outputs, p.inputs, p.images}, {}, {y, 1, p.outputs}, {x, p.inputs, 1}, nullptr,
                   grad_weight);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
