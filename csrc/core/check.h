#pragma once

#include <span>

#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

// Checks that shape rules share. Each throws with a message that names op, argument, expected and actual.

/// TypeError unless float32 or float64.
void check_floating(const char* op, const char* argument, DType dtype);

/// TypeError unless float32, float64 or bfloat16.
void check_floating_or_bfloat16(const char* op, const char* argument, DType dtype);

/// TypeError unless the dtypes agree.
void check_same_dtype(const char* op, const char* argument, DType dtype, DType expected);

/// ValueError unless `shape` equals `expected`, which follows from `of_shape`, the shape of argument `of`.
void check_shape(const char* op, const char* argument, const Shape& shape, const Shape& expected,
                 const char* of, const Shape& of_shape);

/// A shape that came as an argument; ValueError for a negative extent.
Shape shape_argument(const char* op, const char* argument, std::span<const std::int64_t> extents);

/// ValueError unless value >= least.
void check_at_least(const char* op, const char* argument, std::int64_t value, std::int64_t least);

/// ValueError unless the value is finite.
void check_finite(const char* op, const char* argument, double value);

/// ValueError unless the value is finite and at least 0.
void check_non_negative(const char* op, const char* argument, double value);

/// ValueError unless the value is in [0, 1).
void check_below_one(const char* op, const char* argument, double value);

}  // namespace fastdl
