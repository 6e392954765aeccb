#include "ops/linear/linear.h"
#include "ops/linear/linear_bf16.inl.h"
#include "primitives/column_sums.inl.h"
#include "primitives/matrix_product.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE ProductSizes linear_forward_sizes(const LinearParams& p) {
  return {1, p.rows, p.out_features, p.in_features};
}
FASTDL_INLINE ProductSizes linear_input_sizes(const LinearParams& p) {
  return {1, p.rows, p.in_features, p.out_features};
}
FASTDL_INLINE ProductSizes linear_weight_sizes(const LinearParams& p) {
  return {1, p.out_features, p.in_features, p.rows};
}

template <class T>
void multiply_one(const ProductSizes& sizes, const Matrix<T>& a, const Matrix<T>& b, const T* column_bias,
                  void* c, const Activation& activation = {}) {
  multiply_matrices(
      sizes, [&](std::int64_t) { return a; }, [&](std::int64_t) { return b; }, column_bias,
      static_cast<T*>(c), activation);
}

/// A C-contiguous matrix with `columns` columns, and its transpose.
template <class T>
FASTDL_INLINE Matrix<T> row_major(const void* elements, std::int64_t columns) {
  return {static_cast<const T*>(elements), columns, 1};
}
template <class T>
FASTDL_INLINE Matrix<T> transposed(const void* elements, std::int64_t columns) {
  return {static_cast<const T*>(elements), 1, columns};
}

FASTDL_INLINE bool is_bf16(const LinearParams& p) {
  return p.dtype == DType::bfloat16;
}

std::size_t linear_forward_workspace_bytes(const LinearParams& p) {
  return is_bf16(p) ? linear_bf16_forward_bytes(p) : 0;
}

Status linear_forward(const Launch& launch, const LinearParams& p, const Activation& activation,
                      const void* x, const void* weight, const void* bias, void* y) {
  if (is_bf16(p)) return linear_bf16_forward(launch, p, x, weight, bias, y), Status{};
  with_type(p.dtype, [&]<class T>(T) {
    multiply_one(linear_forward_sizes(p), row_major<T>(x, p.in_features),
                 transposed<T>(weight, p.in_features), static_cast<const T*>(bias), y, activation);
  });
  return {};
}

std::size_t linear_backward_input_workspace_bytes(const LinearParams& p) {
  return is_bf16(p) ? linear_bf16_input_bytes(p) : 0;
}

Status linear_backward_input(const Launch& launch, const LinearParams& p, const void* grad_y,
                             const void* weight, void* grad_x) {
  if (is_bf16(p)) return linear_bf16_input(launch, p, grad_y, weight, grad_x), Status{};
  with_type(p.dtype, [&]<class T>(T) {
    multiply_one(linear_input_sizes(p), row_major<T>(grad_y, p.out_features),
                 row_major<T>(weight, p.in_features), static_cast<const T*>(nullptr), grad_x);
  });
  return {};
}

std::size_t linear_backward_weight_workspace_bytes(const LinearParams& p) {
  return is_bf16(p) ? linear_bf16_weight_bytes(p) : 0;
}

Status linear_backward_weight(const Launch& launch, const LinearParams& p, const void* grad_y, const void* x,
                              void* grad_weight) {
  if (is_bf16(p)) return linear_bf16_weight(launch, p, grad_y, x, grad_weight), Status{};
  with_type(p.dtype, [&]<class T>(T) {
    multiply_one(linear_weight_sizes(p), transposed<T>(grad_y, p.out_features),
                 row_major<T>(x, p.in_features), static_cast<const T*>(nullptr), grad_weight);
  });
  return {};
}

std::size_t linear_backward_bias_workspace_bytes(const LinearParams& p) {
  if (is_bf16(p)) return linear_bf16_bias_bytes(p);
  std::size_t bytes = 0;
  with_type(p.dtype, [&]<class T>(T) { bytes = column_sums_workspace_bytes<T>(p.rows, p.out_features); });
  return bytes;
}

Status linear_backward_bias(const Launch& launch, const LinearParams& p, const void* grad_y,
                            void* grad_bias) {
  if (is_bf16(p)) return linear_bf16_bias(launch, p, grad_y, grad_bias), Status{};
  with_type(p.dtype, [&]<class T>(T) {
    column_sums(p.rows, p.out_features, static_cast<const T*>(grad_y), static_cast<T*>(grad_bias),
                launch.workspace);
  });
  return {};
}

}  // namespace

void fill_linear(LinearKernels& kernels) {
  kernels = {linear_forward_workspace_bytes,         linear_forward,
             linear_backward_input_workspace_bytes,  linear_backward_input,
             linear_backward_weight_workspace_bytes, linear_backward_weight,
             linear_backward_bias_workspace_bytes,   linear_backward_bias};
}

}  // namespace fastdl::FASTDL_ISA
