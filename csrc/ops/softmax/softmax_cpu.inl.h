#include "core/thread_pool.h"
#include "ops/softmax/softmax.h"
#include "primitives/rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
void contiguous_softmax(const T* x, std::int64_t classes, T* y) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const T m = row_maximum(x, classes);
  Vec<T> partial{};
  for_vectors<T>(classes, [&](std::int64_t c, int n) {
    const Vec<T> e = exp(load_first(x + c, n, lowest) - m);
    partial += e;
    store_first(y + c, e, n);
  });
  const T sum = reduce_add(partial);
  for_vectors<T>(classes, [&](std::int64_t c, int n) { store_first(y + c, load_first(y + c, n) / sum, n); });
}

template <class T>
void contiguous_log_softmax(const T* x, std::int64_t classes, T* y) {
  T m, log_sum;
  contiguous_row_statistics(x, classes, m, log_sum);
  for_vectors<T>(classes,
                 [&](std::int64_t c, int n) { store_first(y + c, load_first(x + c, n) - m - log_sum, n); });
}

/// The vectors of `count` neighbouring rows, class by class: body(position, i, n) for lanes i to i + n of the
/// class at `position`.
template <class T, class Body>
FASTDL_INLINE void for_classes(std::int64_t classes, std::int64_t inner, int count, Body&& body) {
  for (std::int64_t c = 0; c < classes; ++c)
    for_vectors<T>(count, [&](std::int64_t i, int n) { body(c * inner + i, i, n); });
}

template <class T>
void neighbouring_softmax(const T* x, std::int64_t classes, std::int64_t inner, int count, T* y) {
  T maximum[row_block<T>], sum[row_block<T>] = {};
  row_maxima(x, classes, inner, count, maximum);
  for_classes<T>(classes, inner, count, [&](std::int64_t at, std::int64_t i, int n) {
    const Vec<T> e = exp(load_first(x + at, n) - load_first(maximum + i, n));
    store_first(sum + i, load_first(sum + i, n) + e, n);
    store_first(y + at, e, n);
  });
  for_classes<T>(classes, inner, count, [&](std::int64_t at, std::int64_t i, int n) {
    store_first(y + at, load_first(y + at, n) / load_first(sum + i, n), n);
  });
}

template <class T>
void neighbouring_log_softmax(const T* x, std::int64_t classes, std::int64_t inner, int count, T* y) {
  T maximum[row_block<T>], log_sum[row_block<T>];
  neighbouring_row_statistics(x, classes, inner, count, maximum, log_sum);
  for_classes<T>(classes, inner, count, [&](std::int64_t at, std::int64_t i, int n) {
    const Vec<T> shifted = load_first(x + at, n) - load_first(maximum + i, n);
    store_first(y + at, shifted - load_first(log_sum + i, n), n);
  });
}

// With g the gradient of y: softmax  y (g - sum_c g[c] y[c]),  log_softmax  g - exp(y) sum_c g[c].

template <class T, bool log>
FASTDL_INLINE Vec<T> summand(Vec<T> g, Vec<T> y) {
  return log ? g : g * y;
}

template <class T, bool log>
FASTDL_INLINE Vec<T> derivative(Vec<T> g, Vec<T> y, Vec<T> sum) {
  if constexpr (log) return g - exp(y) * sum;
  return y * (g - sum);
}

template <class T, bool log>
void contiguous_backward(const T* grad_y, const T* y, std::int64_t classes, T* grad_x) {
  Vec<T> partial{};
  for_vectors<T>(classes, [&](std::int64_t c, int n) {
    partial += summand<T, log>(load_first(grad_y + c, n), load_first(y + c, n));
  });
  const Vec<T> sum = broadcast<T>(reduce_add(partial));
  for_vectors<T>(classes, [&](std::int64_t c, int n) {
    store_first(grad_x + c, derivative<T, log>(load_first(grad_y + c, n), load_first(y + c, n), sum), n);
  });
}

template <class T, bool log>
void neighbouring_backward(const T* grad_y, const T* y, std::int64_t classes, std::int64_t inner, int count,
                           T* grad_x) {
  T sum[row_block<T>] = {};
  for_classes<T>(classes, inner, count, [&](std::int64_t at, std::int64_t i, int n) {
    const Vec<T> s = summand<T, log>(load_first(grad_y + at, n), load_first(y + at, n));
    store_first(sum + i, load_first(sum + i, n) + s, n);
  });
  for_classes<T>(classes, inner, count, [&](std::int64_t at, std::int64_t i, int n) {
    const Vec<T> g = load_first(grad_y + at, n), v = load_first(y + at, n);
    store_first(grad_x + at, derivative<T, log>(g, v, load_first(sum + i, n)), n);
  });
}

/// for_rows over all of them, in chunks that take whole blocks of neighbours.
template <class T, class One, class Many>
void for_rows_in_parallel(const SoftmaxParams& params, One&& one, Many&& many) {
  constexpr std::int64_t elements_per_chunk = 16384;
  const std::int64_t rows = params.rows();
  if (rows == 0 || params.classes == 0) return;
  const std::int64_t unit = std::min<std::int64_t>(params.inner, row_block<T>);
  const std::int64_t step = (elements_per_chunk / params.classes / unit + 1) * unit;
  parallel_for((rows + step - 1) / step, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * step, end = std::min(rows, begin + step);
    for_rows<T>(params.classes, params.inner, begin, end, one, many);
  });
}

template <class T>
void forward(const SoftmaxParams& params, const T* x, T* y) {
  const std::int64_t classes = params.classes, inner = params.inner;
  for_rows_in_parallel<T>(
      params,
      [&](std::int64_t, std::int64_t at) {
        (params.log ? contiguous_log_softmax<T> : contiguous_softmax<T>)(x + at, classes, y + at);
      },
      [&](std::int64_t, std::int64_t at, int count) {
        (params.log ? neighbouring_log_softmax<T> : neighbouring_softmax<T>)(x + at, classes, inner, count,
                                                                             y + at);
      });
}

template <class T, bool log>
void backward(const SoftmaxParams& params, const T* grad_y, const T* y, T* grad_x) {
  const std::int64_t classes = params.classes, inner = params.inner;
  for_rows_in_parallel<T>(
      params,
      [&](std::int64_t, std::int64_t at) {
        contiguous_backward<T, log>(grad_y + at, y + at, classes, grad_x + at);
      },
      [&](std::int64_t, std::int64_t at, int count) {
        neighbouring_backward<T, log>(grad_y + at, y + at, classes, inner, count, grad_x + at);
      });
}

Status softmax_forward(const Launch&, const SoftmaxParams& params, const void* input, void* output) {
  with_type(params.dtype,
            [&]<class T>(T) { forward(params, static_cast<const T*>(input), static_cast<T*>(output)); });
  return {};
}

Status softmax_backward(const Launch&, const SoftmaxParams& params, const void* grad_output,
                        const void* output, void* grad_input) {
  with_type(params.dtype, [&]<class T>(T) {
    const auto run = params.log ? backward<T, true> : backward<T, false>;
    run(params, static_cast<const T*>(grad_output), static_cast<const T*>(output),
        static_cast<T*>(grad_input));
  });
  return {};
}

}  // namespace

void fill_softmax(SoftmaxKernels& kernels) {
  kernels = {softmax_forward, softmax_backward};
}

}  // namespace fastdl::FASTDL_ISA
