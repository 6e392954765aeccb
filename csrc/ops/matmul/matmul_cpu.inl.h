#include "ops/matmul/matmul.h"
#include "primitives/matrix_product.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

std::size_t matmul_workspace_bytes(const MatmulParams&) {
  return 0;
}

Status matmul_forward(const Launch&, const MatmulParams& params, const void* a, const void* b, void* c) {
  with_type(params.dtype, [&]<class T>(T) {
    const auto matrix_of = [&](const void* elements, const MatmulOperand& operand) {
      return [elements = static_cast<const T*>(elements), &operand, &params](std::int64_t i) {
        return Matrix<T>{elements + params.offset(operand, i), operand.row_stride, operand.column_stride};
      };
    };
    multiply_matrices(ProductSizes{params.batch(), params.rows, params.columns, params.depth},
                      matrix_of(a, params.a), matrix_of(b, params.b), static_cast<const T*>(nullptr),
                      static_cast<T*>(c));
  });
  return {};
}

}  // namespace

void fill_matmul(MatmulKernels& kernels) {
  kernels = {matmul_workspace_bytes, matmul_forward};
}

}  // namespace fastdl::FASTDL_ISA
