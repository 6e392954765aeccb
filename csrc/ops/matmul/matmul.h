#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

/// How one operand is read: strides in elements, of any sign, 0 along batch axes where it is broadcast.
struct MatmulOperand {
  std::int64_t batch_strides[Shape::max_dims];
  std::int64_t row_stride, column_stride;
};

/// C[i] = A[i] B[i] for matrices A (rows x depth), B (depth x columns) and every index i of the batch axes.
struct MatmulParams {
  DType dtype;
  std::int32_t batch_axes;
  std::int64_t batch_extents[Shape::max_dims];
  std::int64_t rows, columns, depth;
  MatmulOperand a, b;

  std::int64_t batch() const {
    std::int64_t count = 1;
    for (int axis = 0; axis < batch_axes; ++axis) count *= batch_extents[axis];
    return count;
  }
  /// Where matrix `i` of an operand begins.
  std::int64_t offset(const MatmulOperand& operand, std::int64_t i) const {
    std::int64_t elements = 0;
    for (int axis = batch_axes - 1; axis >= 0; --axis) {
      elements += i % batch_extents[axis] * operand.batch_strides[axis];
      i /= batch_extents[axis];
    }
    return elements;
  }
};

/// A and B by their strides, C (batch, rows, columns) C-contiguous; C aliases neither.
struct MatmulKernels {
  std::size_t (*workspace_bytes)(const MatmulParams&);
  Status (*forward)(const Launch&, const MatmulParams&, const void* a, const void* b, void* c);
};

/// Whether all axes of `input` but the last are rows of one matrix, since `other` has no batch of its own.
bool matmul_folds(const Shape& input, const Shape& other);

/// The shape rule, with the rules of 1-D operands: a vector stands for a row on the left and for a column on
/// the right, and its axis of extent 1 does not appear in the result. Where matmul_folds, the leading axes of
/// `input` must have one common stride (has_common_stride). Throws ValueError or TypeError.
MatmulParams matmul_params(const Shape& input, const Shape& input_strides, DType input_dtype,
                           const Shape& other, const Shape& other_strides, DType other_dtype);

/// The shape of the result of operands that matmul_params accepts.
Shape matmul_output_shape(const Shape& input, const Shape& other);

}  // namespace fastdl
