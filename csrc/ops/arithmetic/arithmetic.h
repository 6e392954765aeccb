#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

/// What is written for the elements x and y: x, -x, x + y, x - y, x y, x / y.
enum class Arithmetic : std::int32_t {
  copy = 0,
  negate = 1,
  add = 2,
  subtract = 3,
  multiply = 4,
  divide = 5
};

/// An array's layout: extents, and strides in elements.
struct Layout {
  Shape shape, strides;
};

/// The output is a block of memory that is written from end to end. `extents` are those of its axes in the
/// order that they have there, neighbours joined where all operands allow it; x_strides and y_strides say how
/// the operands step along them, in elements, 0 where they are broadcast. The last of the strides is 0 or 1.
struct ArithmeticParams {
  Arithmetic operation;
  DType dtype;  ///< of all arrays
  std::int64_t elements;
  std::int32_t axes;
  std::int64_t extents[Shape::max_dims];
  std::int64_t x_strides[Shape::max_dims], y_strides[Shape::max_dims];
};

struct ArithmeticKernels {
  /// y is null for copy and negate. output may be an operand that is laid out as it is.
  Status (*run)(const Launch&, const ArithmeticParams&, const void* x, const void* y, void* output);
};

/// False where the output is no block of memory, or an operand does not broadcast onto it or steps otherwise
/// along its last axis: such cases are for others. `y` may be null.
bool arithmetic_params(Arithmetic operation, DType dtype, const Layout& output, const Layout& x,
                       const Layout* y, ArithmeticParams& params);

}  // namespace fastdl
