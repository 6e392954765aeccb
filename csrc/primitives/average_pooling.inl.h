// The mean of each window. Windows have no dilation.
#pragma once

#include "primitives/average_pooling_pixels.inl.h"
#include "primitives/average_pooling_rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
void average_pool(const PoolingGeometry& g, const DivisorRule& rule, const T* x, T* y) {
  const Divisors<T> divisors(g, rule);
  switch (pooling_route(g)) {
    case PoolingRoute::planes:
      return average_planes(g, divisors, x, y);
    case PoolingRoute::rows:
      return average_rows(g, divisors, x, y);
    case PoolingRoute::blocks:
      return average_blocks(g, divisors, x, y);
    case PoolingRoute::pixels:
      return average_pixels(g, divisors, x, y);
  }
}

template <class T>
void average_pool_backward(const PoolingGeometry& g, const DivisorRule& rule, const T* grad_y, T* grad_x) {
  const Divisors<T> divisors(g, rule);
  switch (pooling_route(g)) {
    case PoolingRoute::planes:
      return average_planes_backward(g, divisors, grad_y, grad_x);
    case PoolingRoute::rows:
      return average_rows_backward(g, divisors, grad_y, grad_x);
    case PoolingRoute::blocks:
      return average_blocks_backward(g, divisors, grad_y, grad_x);
    case PoolingRoute::pixels:
      return average_pixels_backward(g, divisors, grad_y, grad_x);
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
