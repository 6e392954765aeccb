#include "ops/pad/pad.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace fastdl {
namespace {

PadMode parse_mode(const std::string& mode) {
  if (mode == "constant") return PadMode::constant;
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "replicate") return PadMode::replicate;
  if (mode == "circular") return PadMode::circular;
  throw ValueError(
      concat("[pad] mode: expected 'constant', 'reflect', 'replicate' or 'circular', got '", mode, "'"));
}

Shape as_shape(std::span<const std::int64_t> values) {
  Shape shape;
  for (const std::int64_t value : values) shape.push_back(value);
  return shape;
}

std::int64_t checked_output(const PadAxis& axis, const Shape& input, std::span<const std::int64_t> pad) {
  std::int64_t output = 0;
  if (__builtin_add_overflow(axis.size, axis.before, &output) ||
      __builtin_add_overflow(output, axis.after, &output))
    throw ValueError(concat("[pad] pad: expected sizes that fit into 63 bits, got ", as_shape(pad),
                            " for input of shape ", input));
  return output;
}

/// What is left of an axis once the negative sides have been taken away.
std::int64_t cropped_size(const PadAxis& axis) {
  return axis.size + std::min<std::int64_t>(axis.before, 0) + std::min<std::int64_t>(axis.after, 0);
}

void check_axis(PadMode mode, const PadAxis& axis, const Shape& input, std::span<const std::int64_t> pad) {
  const auto refuse = [&](const auto&... expected) {
    throw ValueError(
        concat("[pad] pad: expected ", expected..., ", got ", as_shape(pad), " for input of shape ", input));
  };
  const std::int64_t output = checked_output(axis, input, pad), most = std::max(axis.before, axis.after);
  switch (mode) {
    case PadMode::constant:
      if (cropped_size(axis) < 0) refuse("no more to be taken away than an axis of ", axis.size, " has");
      break;
    case PadMode::reflect:
      if (most >= axis.size)
        refuse("mode 'reflect' to have values below the axis' extent, ", axis.size, " here");
      [[fallthrough]];
    case PadMode::replicate:
      if (output < 1)
        refuse("mode '", mode == PadMode::reflect ? "reflect" : "replicate", "' to leave at least one of ",
               axis.size, " elements");
      break;
    case PadMode::circular:
      if (cropped_size(axis) < 0 || most > cropped_size(axis))
        refuse("mode 'circular' to have values up to what an axis of ", axis.size, " has left");
      break;
  }
}

/// Which input shapes go with how many padded axes outside mode constant: (C, d...) and (N, C, d...).
void check_edge_mode_shape(const std::string& mode, const Shape& input, std::span<const std::int64_t> pad) {
  const int padded = static_cast<int>(pad.size() / 2);
  if (padded < 1 || padded > 3)
    throw ValueError(
        concat("[pad] pad: expected 2, 4 or 6 values with mode '", mode, "', got ", as_shape(pad)));
  if (input.size() != padded + 1 && input.size() != padded + 2)
    throw ValueError(concat("[pad] input: expected ", padded + 1, " or ", padded + 2, " axes for ",
                            pad.size(), " values of pad and mode '", mode, "', got ", input));
  if (mode == "circular") return;
  for (int i = input.size() == padded + 2 ? 1 : 0; i < input.size(); ++i)
    if (input[i] == 0)
      throw ValueError(
          concat("[pad] input: expected no empty axis but the batch with mode '", mode, "', got ", input));
}

PadAxis axis_of(const Shape& input, std::span<const std::int64_t> pad, int i) {
  const std::size_t from_last = static_cast<std::size_t>(input.size() - 1 - i);
  if (2 * from_last >= pad.size()) return {input[i], 0, 0};
  return {input[i], pad[2 * from_last], pad[2 * from_last + 1]};
}

/// Merges an axis that stays as it is into the one outside it where rows of that keep their order: always if
/// it stays too, and if the padding is a constant.
void append_axis(PadParams& params, const PadAxis& axis) {
  PadAxis* outer = params.axes > 0 ? &params.axis[params.axes - 1] : nullptr;
  const bool stays = axis.before == 0 && axis.after == 0;
  if (outer != nullptr && stays) {
    *outer = {outer->size * axis.size, outer->before * axis.size, outer->after * axis.size};
  } else {
    params.axis[params.axes++] = axis;
  }
}

}  // namespace

PadParams pad_params(const Shape& input, DType dtype, std::span<const std::int64_t> pad,
                     const std::string& mode) {
  PadParams params{};
  params.dtype = dtype;
  params.mode = parse_mode(mode);
  if (pad.size() % 2 != 0)
    throw ValueError(concat("[pad] pad: expected an even number of values, got ", as_shape(pad)));
  if (pad.size() > 2 * static_cast<std::size_t>(input.size()))
    throw ValueError(concat("[pad] pad: expected at most two values for each of the ", input.size(),
                            " axes of input, got ", as_shape(pad)));
  if (params.mode != PadMode::constant) check_edge_mode_shape(mode, input, pad);
  const int padded = static_cast<int>(pad.size() / 2);
  for (int i = input.size() - padded; i < input.size(); ++i)
    check_axis(params.mode, axis_of(input, pad, i), input, pad);
  padded_shape(input, pad).numel();  // throws where it does not fit

  if (params.mode == PadMode::constant) {
    for (int i = 0; i < input.size(); ++i) append_axis(params, axis_of(input, pad, i));
    if (params.axes == 0) params.axis[params.axes++] = {1, 0, 0};
    return params;
  }
  std::int64_t planes = 1;
  for (int i = 0; i < input.size() - padded; ++i) planes *= input[i];
  params.axes = 4;
  params.axis[0] = {planes, 0, 0};
  for (int i = 1; i < 4 - padded; ++i) params.axis[i] = {1, 0, 0};
  for (int i = 0; i < padded; ++i)
    params.axis[4 - padded + i] = axis_of(input, pad, input.size() - padded + i);
  return params;
}

Shape padded_shape(const Shape& input, std::span<const std::int64_t> pad) {
  Shape shape;
  for (int i = 0; i < input.size(); ++i) shape.push_back(axis_of(input, pad, i).output());
  return shape;
}

std::uint64_t pad_value(DType dtype, double value) {
  if (dtype == DType::float64) return std::bit_cast<std::uint64_t>(value);
  if (std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max())
    throw ValueError(concat("[pad] value: expected one that float32 can hold, got ", value));
  return std::bit_cast<std::uint32_t>(static_cast<float>(value));
}

std::uint64_t pad_value(DType dtype, std::int64_t value) {
  if (dtype == DType::boolean) return value != 0;
  const bool fits = dtype == DType::int64 ||
                    (dtype == DType::int32 && value == static_cast<std::int32_t>(value)) ||
                    (dtype == DType::uint8 && value == static_cast<std::uint8_t>(value));
  if (!fits)
    throw ValueError(concat("[pad] value: expected one that ", name(dtype), " can hold, got ", value));
  return static_cast<std::uint64_t>(value);
}

}  // namespace fastdl
