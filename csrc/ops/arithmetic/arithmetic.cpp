#include "ops/arithmetic/arithmetic.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace fastdl {
namespace {

/// The strides of an operand along the axes of `shape`, or false where it does not broadcast onto them.
bool broadcast_strides(const Layout& operand, const Shape& shape, Shape& strides) {
  const int missing = shape.size() - operand.shape.size();
  if (missing < 0) return false;
  strides = shape;
  for (int axis = 0; axis < shape.size(); ++axis) {
    const std::int64_t extent = axis < missing ? 1 : operand.shape[axis - missing];
    if (extent != 1 && extent != shape[axis]) return false;
    strides[axis] = extent == 1 ? 0 : operand.strides[axis - missing];
  }
  return true;
}

/// The axes with more than one element, the outermost in memory first. False unless they make a block.
bool order_of_block(const Layout& output, std::array<int, Shape::max_dims>& order, int& axes) {
  axes = 0;
  for (int axis = 0; axis < output.shape.size(); ++axis)
    if (output.shape[axis] != 1) order[static_cast<std::size_t>(axes++)] = axis;
  std::stable_sort(order.begin(), order.begin() + axes,
                   [&](int a, int b) { return output.strides[a] > output.strides[b]; });
  std::int64_t step = 1;
  for (int i = axes - 1; i >= 0; --i) {
    const int axis = order[static_cast<std::size_t>(i)];
    if (output.strides[axis] != step) return false;
    step *= output.shape[axis];
  }
  return true;
}

}  // namespace

bool arithmetic_params(Arithmetic operation, DType dtype, const Layout& output, const Layout& x,
                       const Layout* y, ArithmeticParams& params) {
  params = {};
  params.operation = operation;
  params.dtype = dtype;
  params.elements = output.shape.numel();
  if (params.elements == 0) return false;
  std::array<int, Shape::max_dims> order;
  int axes = 0;
  Shape x_strides, y_strides = output.shape;
  if (!order_of_block(output, order, axes) || !broadcast_strides(x, output.shape, x_strides)) return false;
  if (y != nullptr ? !broadcast_strides(*y, output.shape, y_strides) : false) return false;
  for (int i = 0; i < axes; ++i) {
    const int axis = order[static_cast<std::size_t>(i)];
    const std::int64_t extent = output.shape[axis], x_step = x_strides[axis],
                       y_step = y != nullptr ? y_strides[axis] : 0;
    const int last = params.axes - 1;
    if (last >= 0 && params.x_strides[last] == extent * x_step && params.y_strides[last] == extent * y_step) {
      params.extents[last] *= extent;
      params.x_strides[last] = x_step;
      params.y_strides[last] = y_step;
    } else {
      params.extents[params.axes] = extent;
      params.x_strides[params.axes] = x_step;
      params.y_strides[params.axes++] = y_step;
    }
  }
  if (params.axes == 0) params.extents[params.axes++] = 1;
  const auto plain = [](std::int64_t step) { return step == 0 || step == 1; };
  return plain(params.x_strides[params.axes - 1]) && plain(params.y_strides[params.axes - 1]);
}

}  // namespace fastdl
