#include <algorithm>

#include "ops/square_sum/square_sum.h"
#include "primitives/multi_tensor.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
double sum_of_squares(const T* x, std::int64_t count) {
  Vec<double> sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * lanes<double> <= count; i += 4 * lanes<double>)
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const Vec<double> v = load_as_double(x + i + k * lanes<double>);
      sums[k] = fma(v, v, sums[k]);
    }
  double rest = 0;
  for (; i < count; ++i) rest += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest;
}

Status square_sum_run(const Launch& launch, const SquareSumTensor* tensors, std::int64_t count,
                      double* total) {
  *total = 0;
  if (count == 0) return {};
  const std::int64_t elements = tensors[count - 1].begin + tensors[count - 1].size;
  const std::int64_t chunks = (elements + square_sum_elements - 1) / square_sum_elements;
  auto* const partial = static_cast<double*>(launch.workspace);
  std::fill_n(partial, chunks, 0.0);
  for_each_range(tensors, count, [&](const SquareSumTensor& tensor, std::int64_t begin, std::int64_t end) {
    with_type(tensor.dtype, [&]<class T>(T) {
      partial[(tensor.begin + begin) / square_sum_elements] +=
          sum_of_squares(static_cast<const T*>(tensor.values) + begin, end - begin);
    });
  });
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) *total += partial[chunk];
  return {};
}

}  // namespace

void fill_square_sum(SquareSumKernels& kernels) {
  kernels = {square_sum_run};
}

}  // namespace fastdl::FASTDL_ISA
