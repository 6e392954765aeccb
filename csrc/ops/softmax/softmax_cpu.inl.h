#include "core/allocator.h"
#include "core/thread_pool.h"
#include "ops/softmax/softmax.h"
#include "primitives/rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T, bool log>
void softmax_row(const T* x, std::int64_t classes, T* y) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const T maximum = row_maximum(x, classes);
  double sum = 0;
  for (std::int64_t begin = 0; begin < classes; begin += tile_elements<T>) {
    Vec<T> partial{};
    for_each_vector<T>(begin, std::min(classes, begin + tile_elements<T>), [&](auto vector, std::int64_t c) {
      const Vec<T> e = exp_nonpositive(vector.load(x + c, lowest) - maximum);
      partial += e;
      if constexpr (!log) vector.store(y + c, e);
    });
    sum += reduce_add(partial);
  }
  if constexpr (log) {
    const T log_sum = FASTDL_ISA::log(broadcast(static_cast<T>(sum)))[0];
    for_each_vector<T>(0, classes, [&](auto vector, std::int64_t c) {
      vector.store(y + c, vector.load(x + c) - maximum - log_sum);
    });
  } else {
    const T inverse = T(1) / static_cast<T>(sum);
    for_each_vector<T>(
        0, classes, [&](auto vector, std::int64_t c) { vector.store(y + c, inverse * vector.load(y + c)); });
  }
}

/// The same for `count` neighbouring rows, whose classes are `step` apart; y may be x.
template <class T, bool log>
void softmax_rows(const T* x, std::int64_t step, std::int64_t classes, int count, T* y) {
  T maxima[max_block_rows];
  row_maxima(x, step, classes, count, maxima);
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t j) {
    const Vec<T> maximum = vector.load(maxima + j);
    Vec<T> sum{};
    for (std::int64_t at = j; at < classes * step; at += step) {
      const Vec<T> e = exp_nonpositive(vector.load(x + at) - maximum);
      sum += e;
      if constexpr (!log) vector.store(y + at, e);
    }
    const Vec<T> last = log ? FASTDL_ISA::log(sum) : T(1) / sum;
    for (std::int64_t at = j; at < classes * step; at += step)
      vector.store(y + at, log ? vector.load(x + at) - maximum - last : last * vector.load(y + at));
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
void gradient_row(const T* grad_y, const T* y, std::int64_t classes, T* grad_x) {
  double sum = 0;
  for (std::int64_t begin = 0; begin < classes; begin += tile_elements<T>) {
    Vec<T> partial{};
    for_each_vector<T>(begin, std::min(classes, begin + tile_elements<T>), [&](auto vector, std::int64_t c) {
      partial += summand<T, log>(vector.load(grad_y + c), vector.load(y + c));
    });
    sum += reduce_add(partial);
  }
  const Vec<T> total = broadcast(static_cast<T>(sum));
  for_each_vector<T>(0, classes, [&](auto vector, std::int64_t c) {
    vector.store(grad_x + c, derivative<T, log>(vector.load(grad_y + c), vector.load(y + c), total));
  });
}

/// The same for `count` neighbouring rows; grad_x may be either operand.
template <class T, bool log>
void gradient_rows(const T* grad_y, const T* y, std::int64_t step, std::int64_t classes, int count,
                   T* grad_x) {
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t j) {
    Vec<T> sum{};
    for (std::int64_t at = j; at < classes * step; at += step)
      sum += summand<T, log>(vector.load(grad_y + at), vector.load(y + at));
    for (std::int64_t at = j; at < classes * step; at += step)
      vector.store(grad_x + at, derivative<T, log>(vector.load(grad_y + at), vector.load(y + at), sum));
  });
}

/// Runs over blocks of rows in parallel: one(offset) for a contiguous row, many(offset, count, tiles) for
/// neighbours, with two tiles of scratch.
template <class T, class One, class Many>
void for_rows_in_parallel(const SoftmaxParams& params, const One& one, const Many& many) {
  const RowBlocks<T> blocks(params.classes, params.inner);
  const std::int64_t rows = params.rows(), step = blocks.rows_per_chunk();
  if (params.classes == 0) return;
  parallel_for((rows + step - 1) / step, [&](std::int64_t chunk) {
    // Without a destructor, whose unwinding would put a weak symbol into this object.
    const auto bytes = static_cast<std::size_t>(2 * blocks.tile_size()) * sizeof(T);
    T* const tiles = bytes > 0 ? static_cast<T*>(allocate(bytes)) : nullptr;
    blocks.each(chunk * step, std::min(rows, (chunk + 1) * step),
                [&](std::int64_t, std::int64_t at, int count) {
                  if (blocks.kind != RowBlocks<T>::contiguous) return many(blocks, at, count, tiles);
                  for (int j = 0; j < count; ++j) one(at + j * params.classes);
                });
    deallocate(tiles);
  });
}

template <class T, bool log>
void forward(const SoftmaxParams& params, const T* x, T* y) {
  for_rows_in_parallel<T>(
      params, [&](std::int64_t at) { softmax_row<T, log>(x + at, params.classes, y + at); },
      [&](const RowBlocks<T>& blocks, std::int64_t at, int count, T* tile) {
        const T* const from = blocks.load_block(x + at, count, tile);
        T* const to = blocks.tile_size() > 0 ? tile : y + at;
        softmax_rows<T, log>(from, blocks.step(), params.classes, count, to);
        blocks.store_block(to, count, y + at);
      });
}

template <class T, bool log>
void backward(const SoftmaxParams& params, const T* grad_y, const T* y, T* grad_x) {
  for_rows_in_parallel<T>(
      params,
      [&](std::int64_t at) { gradient_row<T, log>(grad_y + at, y + at, params.classes, grad_x + at); },
      [&](const RowBlocks<T>& blocks, std::int64_t at, int count, T* tile) {
        const T* const g = blocks.load_block(grad_y + at, count, tile);
        const T* const from = blocks.load_block(y + at, count, tile + blocks.tile_size());
        T* const to = blocks.tile_size() > 0 ? tile : grad_x + at;
        gradient_rows<T, log>(g, from, blocks.step(), params.classes, count, to);
        blocks.store_block(to, count, grad_x + at);
      });
}

Status softmax_forward(const Launch&, const SoftmaxParams& params, const void* input, void* output) {
  with_type(params.dtype, [&]<class T>(T) {
    const auto run = params.log ? forward<T, true> : forward<T, false>;
    run(params, static_cast<const T*>(input), static_cast<T*>(output));
  });
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
