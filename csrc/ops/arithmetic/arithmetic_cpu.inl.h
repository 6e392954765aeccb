#include "ops/arithmetic/arithmetic.h"
#include "primitives/elementwise.inl.h"
#include "primitives/vector_loop.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T, Arithmetic operation>
FASTDL_INLINE Vec<T> calculate(Vec<T> x, Vec<T> y) {
  if constexpr (operation == Arithmetic::negate) return -x;
  if constexpr (operation == Arithmetic::add) return x + y;
  if constexpr (operation == Arithmetic::subtract) return x - y;
  if constexpr (operation == Arithmetic::multiply) return x * y;
  if constexpr (operation == Arithmetic::divide) return x / y;
  return x;
}

/// One stretch of the output; an operand that steps not is one element.
template <class T, Arithmetic operation, bool x_steps, bool y_steps>
void calculate_stretch(const T* x, const T* y, std::int64_t count, T* output) {
  const Vec<T> x_all = broadcast(x_steps ? T(0) : *x), y_all = broadcast(y_steps || !y ? T(0) : *y);
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t i) {
    const Vec<T> a = x_steps ? vector.load(x + i) : x_all;
    const Vec<T> b = y_steps ? vector.load(y + i) : y_all;
    vector.store(output + i, calculate<T, operation>(a, b));
  });
}

/// Where a stretch begins in the operands.
struct StretchOffsets {
  std::int64_t index[Shape::max_dims], x = 0, y = 0;

  StretchOffsets(const ArithmeticParams& params, std::int64_t row) {
    for (int axis = params.axes - 2; axis >= 0; --axis) {
      index[axis] = row % params.extents[axis];
      row /= params.extents[axis];
      x += index[axis] * params.x_strides[axis];
      y += index[axis] * params.y_strides[axis];
    }
  }

  void next(const ArithmeticParams& params) {
    for (int axis = params.axes - 2; axis >= 0; --axis) {
      x += params.x_strides[axis];
      y += params.y_strides[axis];
      if (++index[axis] < params.extents[axis]) return;
      x -= params.extents[axis] * params.x_strides[axis];
      y -= params.extents[axis] * params.y_strides[axis];
      index[axis] = 0;
    }
  }
};

template <class T, Arithmetic operation>
void calculate_all(const ArithmeticParams& params, const T* x, const T* y, T* output) {
  const int last = params.axes - 1;
  const std::int64_t row = params.extents[last];
  const std::int64_t x_step = params.x_strides[last], y_step = params.y_strides[last];
  const auto stretch = x_step   ? y_step ? calculate_stretch<T, operation, true, true>
                                         : calculate_stretch<T, operation, true, false>
                       : y_step ? calculate_stretch<T, operation, false, true>
                                : calculate_stretch<T, operation, false, false>;
  parallel_for((params.elements + elements_per_chunk - 1) / elements_per_chunk, [&](std::int64_t chunk) {
    std::int64_t begin = chunk * elements_per_chunk;
    const std::int64_t end = std::min(params.elements, begin + elements_per_chunk);
    StretchOffsets at(params, begin / row);
    for (std::int64_t in_row = begin % row; begin < end; in_row = 0) {
      const std::int64_t count = std::min(row - in_row, end - begin);
      stretch(x + at.x + in_row * x_step, y ? y + at.y + in_row * y_step : nullptr, count, output + begin);
      begin += count;
      at.next(params);
    }
  });
}

template <class T>
void calculate_any(const ArithmeticParams& params, const T* x, const T* y, T* output) {
  switch (params.operation) {
    case Arithmetic::copy:
      return calculate_all<T, Arithmetic::copy>(params, x, y, output);
    case Arithmetic::negate:
      return calculate_all<T, Arithmetic::negate>(params, x, y, output);
    case Arithmetic::add:
      return calculate_all<T, Arithmetic::add>(params, x, y, output);
    case Arithmetic::subtract:
      return calculate_all<T, Arithmetic::subtract>(params, x, y, output);
    case Arithmetic::multiply:
      return calculate_all<T, Arithmetic::multiply>(params, x, y, output);
    case Arithmetic::divide:
      return calculate_all<T, Arithmetic::divide>(params, x, y, output);
  }
}

Status arithmetic_run(const Launch&, const ArithmeticParams& params, const void* x, const void* y,
                      void* output) {
  with_type(params.dtype, [&]<class T>(T) {
    calculate_any(params, static_cast<const T*>(x), static_cast<const T*>(y), static_cast<T*>(output));
  });
  return {};
}

}  // namespace

void fill_arithmetic(ArithmeticKernels& kernels) {
  kernels = {arithmetic_run};
}

}  // namespace fastdl::FASTDL_ISA
