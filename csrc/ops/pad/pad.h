#pragma once

#include <span>
#include <string>

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

/// What lies beyond the edge: a constant; the mirror image without the edge itself; the edge; the other side.
enum class PadMode : std::int32_t { constant = 0, reflect = 1, replicate = 2, circular = 3 };

/// One axis: output position o reads source position o - before where that exists. A negative `before` or
/// `after` takes elements away; reflect and replicate still see them, circular repeats what is left.
struct PadAxis {
  std::int64_t size, before, after;

  std::int64_t output() const { return size + before + after; }
};

/// Axes that stay as they are have been merged with their neighbours; `axis[axes - 1]` is contiguous. The
/// modes other than constant have four axes: planes, which stay as they are, and depth, height and width.
struct PadParams {
  DType dtype;
  PadMode mode;
  std::uint64_t value;  ///< constant: the bits of an element, in the lowest bytes
  std::int32_t axes;
  PadAxis axis[Shape::max_dims];
};

/// x and y: C-contiguous, shaped by the axes; no aliasing.
struct PadKernels {
  /// Any dtype.
  Status (*forward)(const Launch&, const PadParams&, const void* x, void* y);
  /// Floating dtypes: each element of grad_x is the sum of grad_y over the outputs that read it.
  Status (*backward)(const Launch&, const PadParams&, const void* grad_y, void* grad_x);
};

/// The shape rule. `pad` holds (before, after) for the last axis, then for the one before it, and so on.
/// Throws ValueError.
PadParams pad_params(const Shape& input, DType dtype, std::span<const std::int64_t> pad,
                     const std::string& mode);

/// The shape of the result, for a `pad` that pad_params accepts.
Shape padded_shape(const Shape& input, std::span<const std::int64_t> pad);

/// The bits of `value` in a floating dtype; ValueError where it is finite and beyond the dtype's range.
std::uint64_t pad_value(DType dtype, double value);

/// The bits of `value` in an integer dtype or bool; ValueError where it does not fit.
std::uint64_t pad_value(DType dtype, std::int64_t value);

}  // namespace fastdl
