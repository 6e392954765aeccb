#include <cmath>

#include "ops/batch_norm/batch_norm.h"
#include "primitives/activation.inl.h"
#include "primitives/channels.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE ChannelChunks batch_norm_chunks(const BatchNormParams& params) {
  return plan_channels(params.batch, params.channels, params.inner);
}

/// Mean of some of a channel's values, and the sum of their squared distances from it.
struct Moments {
  double mean, squares;
};

/// One after another, arrays with an element for each channel.
template <class T>
struct ChannelArrays {
  T* next;
  std::int64_t channels;
  T* take(std::int64_t count = 1) {
    T* array = next;
    next += count * channels;
    return array;
  }
};

/// Adds a segment's values to those before it: T. Chan, G. Golub and R. LeVeque, Updating formulae and a
/// pairwise algorithm for computing sample variances, 1982, eq. 2.1.
FASTDL_INLINE void merge(Moments& total, double& count, const Moments& segment, double segment_count) {
  const double joint = count + segment_count, distance = segment.mean - total.mean;
  total.mean += distance * (segment_count / joint);
  total.squares += segment.squares + distance * distance * (count * segment_count / joint);
  count = joint;
}

/// The moments of every segment of every channel: the mean first, then distances from it, whose own sum makes
/// good for the rounding of the mean.
template <class T>
void segment_moments(const ChannelChunks& plan, const T* x, T* scratch, Moments* moments) {
  const std::int64_t channels = plan.channels;
  const auto distances = [x](const auto& access, std::int64_t offset, const Vec<T>* values, Vec<T>* sums) {
    const Vec<T> distance = access.load(x + offset, values[0][0]) - values[0];
    sums[0] += distance;
    sums[1] += distance * distance;
  };
  const auto total = [x](const auto& access, std::int64_t offset, const Vec<T>*, Vec<T>* sums) {
    sums[0] += access.load(x + offset, T(0));
  };
  parallel_for(plan.chunks(), [&](std::int64_t chunk) {
    const std::int64_t segment = plan.segment_of(chunk);
    ChannelArrays<T> arrays{scratch + segment * 3 * channels, channels};
    T *mean = arrays.take(), *sum = arrays.take(), *squares = arrays.take();
    const double count = static_cast<double>(plan.segment(segment).count());
    visit_chunk(plan, chunk, std::array<const T*, 0>{}, std::array<T*, 1>{mean}, total);
    for (std::int64_t c = plan.channel_begin(chunk); c < plan.channel_end(chunk); ++c)
      mean[c] = static_cast<T>(mean[c] / count);
    visit_chunk(plan, chunk, std::array<const T*, 1>{mean}, std::array<T*, 2>{sum, squares}, distances);
    for (std::int64_t c = plan.channel_begin(chunk); c < plan.channel_end(chunk); ++c) {
      const double rest = static_cast<double>(sum[c]) / count;
      moments[segment * channels + c] = {mean[c] + rest, squares[c] - rest * rest * count};
    }
  });
}

/// mean and invstd of the batch; moves the running statistics, where there are any.
template <class T>
void batch_statistics(const BatchNormParams& params, const ChannelChunks& plan, const Moments* moments,
                      T* running_mean, T* running_var, T* mean, T* invstd) {
  for_each_channel(plan, [&](std::int64_t c) {
    Moments total{0, 0};
    double count = 0;
    for (std::int64_t segment = 0; segment < plan.segments; ++segment)
      merge(total, count, moments[segment * params.channels + c],
            static_cast<double>(plan.segment(segment).count()));
    mean[c] = static_cast<T>(total.mean);
    invstd[c] = static_cast<T>(1 / std::sqrt(total.squares / count + params.eps));
    const auto move = [&](T& running, double value) {
      running = static_cast<T>((1 - params.momentum) * running + params.momentum * value);
    };
    if (running_mean) move(running_mean[c], total.mean);
    if (running_var) move(running_var[c], total.squares / (count - 1));
  });
}

template <class T>
void running_statistics(const BatchNormParams& params, const T* running_mean, const T* running_var, T* mean,
                        T* invstd) {
  for (std::int64_t c = 0; c < params.channels; ++c) {
    mean[c] = running_mean[c];
    invstd[c] = static_cast<T>(1 / std::sqrt(static_cast<double>(running_var[c]) + params.eps));
  }
}

std::size_t batch_norm_forward_workspace_bytes(const BatchNormParams& params) {
  const std::int64_t segments = params.training ? batch_norm_chunks(params).segments : 0;
  return static_cast<std::size_t>(params.channels) *
         (static_cast<std::size_t>(segments) * (sizeof(Moments) + 3 * item_size(params.dtype)) +
          2 * item_size(params.dtype));
}

template <class T>
void batch_norm_forward_as(const Launch& launch, const BatchNormParams& params, const Activation& activation,
                           const T* x, const T* weight, const T* bias, T* running_mean, T* running_var, T* y,
                           T* mean, T* invstd) {
  const std::int64_t channels = params.channels;
  if (params.training && params.count() == 0) {
    for (std::int64_t c = 0; c < channels; ++c) mean[c] = invstd[c] = T(0);
    return;
  }
  const ChannelChunks plan = batch_norm_chunks(params);
  auto* moments = static_cast<Moments*>(launch.workspace);
  ChannelArrays<T> arrays{reinterpret_cast<T*>(moments + (params.training ? plan.segments * channels : 0)),
                          channels};
  if (params.training) {
    segment_moments(plan, x, arrays.take(3 * plan.segments), moments);
    batch_statistics(params, plan, moments, running_mean, running_var, mean, invstd);
  } else {
    running_statistics(params, running_mean, running_var, mean, invstd);
  }
  if (params.count() == 0) return;
  T *scale = arrays.take(), *shift = arrays.take();
  for (std::int64_t c = 0; c < channels; ++c) {
    scale[c] = weight ? invstd[c] * weight[c] : invstd[c];
    shift[c] = bias ? bias[c] : T(0);
  }
  visit_channels(plan, std::array<const T*, 3>{mean, scale, shift},
                 [=](const auto& access, std::int64_t offset, const Vec<T>* values, Vec<T>*) {
                   const Vec<T> distance = access.load(x + offset, T(0)) - values[0];
                   access.store(y + offset, activated<T>(activation, distance * values[1] + values[2]));
                 });
}

Status batch_norm_forward(const Launch& launch, const BatchNormParams& params, const Activation& activation,
                          const void* x, const void* weight, const void* bias, void* running_mean,
                          void* running_var, void* y, void* mean, void* invstd) {
  with_type(params.dtype, [&]<class T>(T) {
    batch_norm_forward_as(launch, params, activation, static_cast<const T*>(x), static_cast<const T*>(weight),
                          static_cast<const T*>(bias), static_cast<T*>(running_mean),
                          static_cast<T*>(running_var), static_cast<T*>(y), static_cast<T*>(mean),
                          static_cast<T*>(invstd));
  });
  return {};
}

std::size_t batch_norm_backward_workspace_bytes(const BatchNormParams& params) {
  const auto segments = static_cast<std::size_t>(batch_norm_chunks(params).segments);
  return static_cast<std::size_t>(params.channels) * (2 * segments + 3) * item_size(params.dtype);
}

/// What the sums over a channel leave to do: grad_weight, grad_bias, and the tables of grad_x.
template <class T>
struct GradientTables {
  T *mean_grad, *slope, *scale;
};

template <class T>
void reduce_gradients(const BatchNormParams& params, const ChannelChunks& plan, const T* partial,
                      const T* weight, const T* invstd, const GradientTables<T>& tables, T* grad_weight,
                      T* grad_bias) {
  const std::int64_t channels = params.channels;
  const double count = static_cast<double>(params.count());
  for_each_channel(plan, [&](std::int64_t c) {
    double grads = 0, products = 0;
    for (std::int64_t segment = 0; segment < plan.segments; ++segment) {
      grads += partial[segment * 2 * channels + c];
      products += partial[(segment * 2 + 1) * channels + c];
    }
    const double scale = invstd[c];
    if (grad_bias) grad_bias[c] = static_cast<T>(grads);
    if (grad_weight) grad_weight[c] = static_cast<T>(products * scale);
    tables.mean_grad[c] = static_cast<T>(grads / count);
    tables.slope[c] = static_cast<T>(products / count * scale * scale);
    tables.scale[c] = weight ? invstd[c] * weight[c] : invstd[c];
  });
}

/// grad_x = (g - mean of g - (x - mean) invstd^2 (mean of g (x - mean))) invstd weight where training, g
/// invstd weight otherwise.
template <class T>
void input_gradient(const BatchNormParams& params, const ChannelChunks& plan, const T* grad_y, const T* x,
                    const T* mean, const GradientTables<T>& tables, T* grad_x) {
  if (params.training) {
    visit_channels(plan, std::array<const T*, 4>{mean, tables.mean_grad, tables.slope, tables.scale},
                   [=](const auto& access, std::int64_t offset, const Vec<T>* values, Vec<T>*) {
                     const Vec<T> distance = access.load(x + offset, T(0)) - values[0];
                     const Vec<T> centred = access.load(grad_y + offset, T(0)) - values[1];
                     access.store(grad_x + offset, (centred - distance * values[2]) * values[3]);
                   });
  } else {
    visit_channels(plan, std::array<const T*, 1>{tables.scale},
                   [=](const auto& access, std::int64_t offset, const Vec<T>* values, Vec<T>*) {
                     access.store(grad_x + offset, access.load(grad_y + offset, T(0)) * values[0]);
                   });
  }
}

template <class T>
void batch_norm_backward_as(const Launch& launch, const BatchNormParams& params, const T* grad_y, const T* x,
                            const T* weight, const T* mean, const T* invstd, T* grad_x, T* grad_weight,
                            T* grad_bias) {
  const ChannelChunks plan = batch_norm_chunks(params);
  const std::int64_t channels = params.channels;
  ChannelArrays<T> arrays{static_cast<T*>(launch.workspace), channels};
  T* partial = arrays.take(2 * plan.segments);
  const GradientTables<T> tables{arrays.take(), arrays.take(), arrays.take()};
  parallel_for(plan.chunks(), [&](std::int64_t chunk) {
    T* sums = partial + plan.segment_of(chunk) * 2 * channels;
    visit_chunk(plan, chunk, std::array<const T*, 1>{mean}, std::array<T*, 2>{sums, sums + channels},
                [=](const auto& access, std::int64_t offset, const Vec<T>* values, Vec<T>* totals) {
                  const Vec<T> grad = access.load(grad_y + offset, T(0));
                  totals[0] += grad;
                  totals[1] += grad * (access.load(x + offset, values[0][0]) - values[0]);
                });
  });
  reduce_gradients(params, plan, partial, weight, invstd, tables, grad_weight, grad_bias);
  if (grad_x && params.count() > 0) input_gradient(params, plan, grad_y, x, mean, tables, grad_x);
}

Status batch_norm_backward(const Launch& launch, const BatchNormParams& params, const void* grad_y,
                           const void* x, const void* weight, const void* mean, const void* invstd,
                           void* grad_x, void* grad_weight, void* grad_bias) {
  with_type(params.dtype, [&]<class T>(T) {
    batch_norm_backward_as(launch, params, static_cast<const T*>(grad_y), static_cast<const T*>(x),
                           static_cast<const T*>(weight), static_cast<const T*>(mean),
                           static_cast<const T*>(invstd), static_cast<T*>(grad_x),
                           static_cast<T*>(grad_weight), static_cast<T*>(grad_bias));
  });
  return {};
}

}  // namespace

void fill_batch_norm(BatchNormKernels& kernels) {
  kernels = {batch_norm_forward_workspace_bytes, batch_norm_forward, batch_norm_backward_workspace_bytes,
             batch_norm_backward};
}

}  // namespace fastdl::FASTDL_ISA
