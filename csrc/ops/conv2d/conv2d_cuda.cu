#include "core/cuda_launch.h"
#include "ops/conv2d/conv2d.h"
#include "primitives/cuda_reduce.h"

namespace fastdl {
namespace {

constexpr int threads = 256;

using Geometry = ConvolutionGeometry;

/// One thread an element of y.
template <class T>
FASTDL_KERNEL void forward_elements(Geometry g, Activation activation, const T* __restrict__ x,
                                    const T* __restrict__ weight, const T* __restrict__ bias,
                                    T* __restrict__ y) {
  const std::int64_t channels = g.input_channels(), size = g.N * g.K * g.P * g.Q;
  for (std::int64_t i = global_index(); i < size; i += global_size()) {
    const std::int64_t q = i % g.Q, p = i / g.Q % g.P, k = i / (g.Q * g.P) % g.K, n = i / (g.Q * g.P * g.K);
    const std::int64_t first_c = k / g.output_channels() * channels;
    const T* kernel = weight + k * channels * g.R * g.S;
    T sum = 0;
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t r = 0; r < g.R; ++r) {
        const std::int64_t h = p * g.stride_h - g.padding_h + r * g.dilation_h;
        if (h < 0 || h >= g.H) continue;
        for (std::int64_t s = 0; s < g.S; ++s) {
          const std::int64_t w = q * g.stride_w - g.padding_w + s * g.dilation_w;
          if (w < 0 || w >= g.W) continue;
          sum += kernel[(c * g.R + r) * g.S + s] * x[g.x_index(n, first_c + c, h, w)];
        }
      }
    y[g.y_index(n, k, p, q)] = activated_element(activation, bias ? sum + bias[k] : sum);
  }
}

/// The output position whose tap `r` meets input position `h`, or -1.
FASTDL_DEVICE std::int64_t output_position(std::int64_t h, std::int64_t r, std::int64_t stride,
                                           std::int64_t padding, std::int64_t dilation,
                                           std::int64_t outputs) {
  const std::int64_t distance = h + padding - r * dilation;
  if (distance < 0 || distance % stride != 0 || distance / stride >= outputs) return -1;
  return distance / stride;
}

/// One thread an element of grad_x: gathered, so that nothing is added concurrently.
template <class T>
FASTDL_KERNEL void backward_input_elements(Geometry g, const T* __restrict__ grad_y,
                                           const T* __restrict__ weight, T* __restrict__ grad_x) {
  const std::int64_t channels = g.input_channels(), kernels = g.output_channels(),
                     size = g.N * g.C * g.H * g.W;
  for (std::int64_t i = global_index(); i < size; i += global_size()) {
    const std::int64_t w = i % g.W, h = i / g.W % g.H, c = i / (g.W * g.H) % g.C, n = i / (g.W * g.H * g.C);
    const std::int64_t first_k = c / channels * kernels;
    T sum = 0;
    for (std::int64_t k = first_k; k < first_k + kernels; ++k)
      for (std::int64_t r = 0; r < g.R; ++r) {
        const std::int64_t p = output_position(h, r, g.stride_h, g.padding_h, g.dilation_h, g.P);
        if (p < 0) continue;
        for (std::int64_t s = 0; s < g.S; ++s) {
          const std::int64_t q = output_position(w, s, g.stride_w, g.padding_w, g.dilation_w, g.Q);
          if (q < 0) continue;
          sum += weight[((k * channels + c % channels) * g.R + r) * g.S + s] * grad_y[g.y_index(n, k, p, q)];
        }
      }
    grad_x[g.x_index(n, c, h, w)] = sum;
  }
}

/// One block an element of grad_weight: its threads share the sum over images and positions.
template <class T>
FASTDL_KERNEL void backward_weight_elements(Geometry g, const T* __restrict__ grad_y, const T* __restrict__ x,
                                            T* __restrict__ grad_weight) {
  FASTDL_SHARED(T, scratch, [32]);
  const std::int64_t channels = g.input_channels(), size = g.K * channels * g.R * g.S;
  for (std::int64_t i = blockIdx.x; i < size; i += gridDim.x) {
    const std::int64_t s = i % g.S, r = i / g.S % g.R, c = i / (g.S * g.R) % channels,
                       k = i / (g.S * g.R * channels);
    const std::int64_t channel = k / g.output_channels() * channels + c;
    T sum = 0;
    for (std::int64_t j = threadIdx.x; j < g.N * g.P * g.Q; j += blockDim.x) {
      const std::int64_t q = j % g.Q, p = j / g.Q % g.P, n = j / (g.Q * g.P);
      const std::int64_t h = p * g.stride_h - g.padding_h + r * g.dilation_h;
      const std::int64_t w = q * g.stride_w - g.padding_w + s * g.dilation_w;
      if (h < 0 || h >= g.H || w < 0 || w >= g.W) continue;
      sum += grad_y[g.y_index(n, k, p, q)] * x[g.x_index(n, channel, h, w)];
    }
    sum = block_reduce(sum, Sum{}, scratch);
    if (threadIdx.x == 0) grad_weight[i] = sum;
  }
}

/// One block a channel of grad_bias.
template <class T>
FASTDL_KERNEL void backward_bias_channels(Geometry g, const T* __restrict__ grad_y,
                                          T* __restrict__ grad_bias) {
  FASTDL_SHARED(T, scratch, [32]);
  for (std::int64_t k = blockIdx.x; k < g.K; k += gridDim.x) {
    T sum = 0;
    for (std::int64_t j = threadIdx.x; j < g.N * g.P * g.Q; j += blockDim.x)
      sum += grad_y[g.y_index(j / (g.P * g.Q), k, j / g.Q % g.P, j % g.Q)];
    sum = block_reduce(sum, Sum{}, scratch);
    if (threadIdx.x == 0) grad_bias[k] = sum;
  }
}

std::size_t no_workspace(const Geometry&) {
  return 0;
}

Status forward(const Launch& at, const Geometry& g, const Activation& activation, const void* x,
               const void* weight, const void* bias, void* y) {
  Status status;
  with_type(g.dtype, [&]<class T>(T) {
    status = launch("conv2d_forward", at.stream, grid_for(g.N * g.K * g.P * g.Q, threads), threads, 0,
                    forward_elements<T>, g, activation, static_cast<const T*>(x),
                    static_cast<const T*>(weight), static_cast<const T*>(bias), static_cast<T*>(y));
  });
  return status;
}

Status backward_input(const Launch& at, const Geometry& g, const void* grad_y, const void* weight,
                      void* grad_x) {
  Status status;
  with_type(g.dtype, [&]<class T>(T) {
    status = launch("conv2d_backward_input", at.stream, grid_for(g.N * g.C * g.H * g.W, threads), threads, 0,
                    backward_input_elements<T>, g, static_cast<const T*>(grad_y),
                    static_cast<const T*>(weight), static_cast<T*>(grad_x));
  });
  return status;
}

Status backward_weight(const Launch& at, const Geometry& g, const void* grad_y, const void* x,
                       void* grad_weight) {
  Status status;
  with_type(g.dtype, [&]<class T>(T) {
    status = launch("conv2d_backward_weight", at.stream, grid_for(g.K * g.input_channels() * g.R * g.S, 1),
                    threads, 0, backward_weight_elements<T>, g, static_cast<const T*>(grad_y),
                    static_cast<const T*>(x), static_cast<T*>(grad_weight));
  });
  return status;
}

Status backward_bias(const Launch& at, const Geometry& g, const void* grad_y, void* grad_bias) {
  Status status;
  with_type(g.dtype, [&]<class T>(T) {
    status = launch("conv2d_backward_bias", at.stream, grid_for(g.K, 1), threads, 0,
                    backward_bias_channels<T>, g, static_cast<const T*>(grad_y), static_cast<T*>(grad_bias));
  });
  return status;
}

}  // namespace

namespace cuda {

void fill_conv2d(Conv2dKernels& kernels) {
  kernels = {no_workspace, forward,         no_workspace,  backward_input,
             no_workspace, backward_weight, backward_bias, nullptr};
}

}  // namespace cuda

}  // namespace fastdl
