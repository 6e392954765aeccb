#include "ops/matmul/matmul.h"
#include "primitives/matrix_product.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE ProductSizes product_sizes(const MatmulParams& params) {
  bool one_a = true;
  for (int axis = 0; axis < params.batch_axes; ++axis) one_a = one_a && params.a.batch_strides[axis] == 0;
  return {params.batch(), params.rows, params.columns, params.depth, one_a};
}

std::size_t matmul_workspace_bytes(const MatmulParams& params) {
  std::size_t bytes = 0;
  with_type(params.dtype, [&]<class T>(T) { bytes = product_workspace_bytes<T>(product_sizes(params)); });
  return bytes;
}

Status matmul_forward(const Launch& launch, const MatmulParams& params, const void* a, const void* b,
                      void* c) {
  with_type(params.dtype, [&]<class T>(T) {
    const auto matrix_of = [&](const void* elements, const MatmulOperand& operand) {
      return [elements = static_cast<const T*>(elements), &operand, &params](std::int64_t i) {
        return Matrix<T>{elements + params.offset(operand, i), operand.row_stride, operand.column_stride};
      };
    };
    multiply_matrices(product_sizes(params), matrix_of(a, params.a), matrix_of(b, params.b),
                      static_cast<const T*>(nullptr), static_cast<T*>(c), launch.workspace);
  });
  return {};
}

}  // namespace

void fill_matmul(MatmulKernels& kernels) {
  kernels = {matmul_workspace_bytes, matmul_forward};
}

}  // namespace fastdl::FASTDL_ISA
