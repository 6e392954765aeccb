#include "core/check.h"

#include <cmath>

#include "core/error.h"

namespace fastdl {

void check_floating(const char* op, const char* argument, DType dtype) {
  if (!is_floating(dtype))
    throw TypeError(concat("[", op, "] ", argument, ": expected float32 or float64, got ", name(dtype)));
}

void check_floating_or_bfloat16(const char* op, const char* argument, DType dtype) {
  if (!is_floating(dtype) && dtype != DType::bfloat16)
    throw TypeError(
        concat("[", op, "] ", argument, ": expected float32, float64 or bfloat16, got ", name(dtype)));
}

void check_same_dtype(const char* op, const char* argument, DType dtype, DType expected) {
  if (dtype != expected)
    throw TypeError(concat("[", op, "] ", argument, ": expected ", name(expected),
                           " as the other arguments, got ", name(dtype)));
}

void check_shape(const char* op, const char* argument, const Shape& shape, const Shape& expected,
                 const char* of, const Shape& of_shape) {
  if (!(shape == expected))
    throw ValueError(concat("[", op, "] ", argument, ": expected ", expected, " for ", of, " of shape ",
                            of_shape, ", got ", shape));
}

void check_at_least(const char* op, const char* argument, std::int64_t value, std::int64_t least) {
  if (value < least)
    throw ValueError(concat("[", op, "] ", argument, ": expected at least ", least, ", got ", value));
}

void check_finite(const char* op, const char* argument, double value) {
  if (!std::isfinite(value))
    throw ValueError(concat("[", op, "] ", argument, ": expected a finite value, got ", value));
}

void check_non_negative(const char* op, const char* argument, double value) {
  if (!(value >= 0.0 && std::isfinite(value)))
    throw ValueError(concat("[", op, "] ", argument, ": expected a finite value of at least 0, got ", value));
}

void check_below_one(const char* op, const char* argument, double value) {
  if (!(value >= 0.0 && value < 1.0))
    throw ValueError(concat("[", op, "] ", argument, ": expected a value in [0, 1), got ", value));
}

Shape shape_argument(const char* op, const char* argument, std::span<const std::int64_t> extents) {
  Shape shape;
  for (const std::int64_t extent : extents) {
    check_at_least(op, argument, extent, 0);
    shape.push_back(extent);
  }
  return shape;
}

}  // namespace fastdl
