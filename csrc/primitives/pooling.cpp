#include "primitives/pooling.h"

#include <limits>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

void check_input(const char* op, const Shape& input, DType dtype) {
  check_floating(op, "input", dtype);
  if (input.size() != 3 && input.size() != 4)
    throw ValueError(concat("[", op, "] input: expected (N, C, H, W) or (C, H, W), got ", input));
  for (int i = input.size() - 3; i < input.size(); ++i)
    if (input[i] == 0)
      throw ValueError(concat("[", op, "] input: expected no empty axis but the batch, got ", input));
}

PoolingGeometry without_windows(const Shape& input, DType dtype, MemoryFormat format) {
  PoolingGeometry g{};
  g.dtype = dtype;
  g.format = format;
  g.channels = input[input.size() - 3];
  g.planes = input.size() == 4 ? input[0] * g.channels : g.channels;
  return g;
}

/// Without dilation padding and ceil mode leave every window a tap.
bool axis_may_miss(const WindowAxis& axis) {
  if (axis.dilation == 1) return false;
  for (std::int64_t o = 0; o < axis.outputs; ++o)
    if (axis.first_tap(o) >= axis.last_tap(o)) return true;
  return false;
}

bool is_one_window(const WindowAxis& axis) {
  return axis.outputs == 1 && axis.dilation == 1 && axis.begin(0) == 0 && axis.end(0) == axis.size;
}

/// In ceil mode the last window may hang over the end, but must start inside the axis or its leading padding.
std::int64_t pooled_size(const WindowAxis& axis, bool ceil_mode) {
  const std::int64_t reached = axis.size + (ceil_mode ? axis.stride - 1 : 0);
  const std::int64_t outputs =
      window_output_size(reached, axis.kernel, axis.stride, 2 * axis.padding, axis.dilation);
  return ceil_mode && (outputs - 1) * axis.stride >= axis.size + axis.padding ? outputs - 1 : outputs;
}

}  // namespace

PoolingGeometry pooling_geometry(const char* op, const Shape& input, DType dtype, Pair kernel_size,
                                 Pair stride, Pair padding, Pair dilation, bool ceil_mode,
                                 MemoryFormat format) {
  check_input(op, input, dtype);
  const auto shown = [](Pair pair) { return Shape{pair[0], pair[1]}; };
  if (kernel_size[0] < 1 || kernel_size[1] < 1)
    throw ValueError(
        concat("[", op, "] kernel_size: expected values of at least 1, got ", shown(kernel_size)));
  check_fits(op, "kernel_size", kernel_size);
  check_window_parameters(op, stride, {padding, padding}, dilation, 1);
  for (int i = 0; i < 2; ++i)
    if (padding[i] > kernel_size[i] / 2)
      throw ValueError(concat("[", op, "] padding: expected at most half of kernel_size ", shown(kernel_size),
                              ", got ", shown(padding)));
  PoolingGeometry g = without_windows(input, dtype, format);
  const auto axis = [&](int i) {
    WindowAxis result{input[input.size() - 2 + i], 0, kernel_size[i], stride[i], padding[i], dilation[i]};
    result.outputs = pooled_size(result, ceil_mode);
    return result;
  };
  g.h = axis(0), g.w = axis(1);
  if (g.h.outputs < 1 || g.w.outputs < 1)
    throw ValueError(concat("[", op, "] kernel_size: expected one no larger than the padded input, got ",
                            shown(kernel_size), " with dilation ", shown(dilation), " for input of shape ",
                            input));
  return g;
}

PoolingGeometry adaptive_pooling_geometry(const char* op, const Shape& input, DType dtype,
                                          const OutputSize& output_size, MemoryFormat format) {
  check_input(op, input, dtype);
  PoolingGeometry g = without_windows(input, dtype, format);
  const auto axis = [&](int i) {
    const std::int64_t size = input[input.size() - 2 + i], outputs = output_size[i].value_or(size);
    check_at_least(op, "output_size", outputs, 0);
    // Windows of one size side by side are sliding ones.
    if (outputs > 0 && size % outputs == 0)
      return WindowAxis{size, outputs, size / outputs, size / outputs, 0, 1};
    return WindowAxis{size, outputs, 0, 1, 0, 1};
  };
  g.h = axis(0), g.w = axis(1);
  return g;
}

DType tap_dtype(const PoolingGeometry& g) {
  if (g.tap_numbers() <= std::numeric_limits<std::uint8_t>::max()) return DType::uint8;
  return g.tap_numbers() <= std::numeric_limits<std::int32_t>::max() ? DType::int32 : DType::int64;
}

bool windows_tile(const PoolingGeometry& g) {
  const auto tile = [](const WindowAxis& axis) {
    return axis.kernel == axis.stride && axis.padding == 0 && axis.dilation == 1 &&
           axis.outputs * axis.kernel == axis.size;
  };
  return tile(g.h) && tile(g.w);
}

bool may_miss(const PoolingGeometry& g) {
  return axis_may_miss(g.h) || axis_may_miss(g.w);
}

PoolingRoute pooling_route(const PoolingGeometry& g) {
  if (g.format == MemoryFormat::channels_last) return PoolingRoute::pixels;
  constexpr std::int64_t smallest_plane = 48;  // elements, that summing up the lanes at the end pays for
  if (is_one_window(g.h) && is_one_window(g.w) && g.input_plane() >= smallest_plane)
    return PoolingRoute::planes;
  // Outputs in a row that vectors along it pay for: fewer where each element belongs to one window.
  constexpr std::int64_t fewest_side_by_side = 7, fewest = 12;
  const bool narrow = !g.h.adaptive() && !g.w.adaptive() && g.h.dilation == 1 && g.w.dilation == 1 &&
                      g.w.stride <= 2 && g.w.kernel <= widest_window;
  const bool rows = narrow && g.w.outputs >= (windows_tile(g) ? fewest_side_by_side : fewest);
  return rows ? PoolingRoute::rows : PoolingRoute::blocks;
}

Shape pooled_shape(const Shape& input, const PoolingGeometry& geometry) {
  Shape shape = input;
  shape[shape.size() - 2] = geometry.h.outputs;
  shape[shape.size() - 1] = geometry.w.outputs;
  return shape;
}

}  // namespace fastdl
