#pragma once

#include <cstddef>
#include <cstdint>

#include "core/macros.h"

namespace fastdl {

/// Element types that kernels are told about. The values are part of the backend interface.
enum class DType : std::int32_t {
  float32 = 0,
  float64 = 1,
  int64 = 2,
  boolean = 3,
  uint8 = 4,
  int32 = 5,
  bfloat16 = 6
};

/// The upper half of a float32.
struct BFloat16 {
  std::uint16_t bits;
};

constexpr std::size_t item_size(DType dtype) {
  switch (dtype) {
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::float32:
    case DType::int32:
      return 4;
    case DType::bfloat16:
      return 2;
    case DType::boolean:
    case DType::uint8:
      return 1;
  }
  return 0;
}

const char* name(DType dtype);

/// What every op on floating arrays takes. bfloat16, which few take, is none of them.
constexpr bool is_floating(DType dtype) {
  return dtype == DType::float32 || dtype == DType::float64;
}

/// Calls body(T()) with the C++ type of a floating dtype.
template <class Body>
FASTDL_INLINE void with_type(DType dtype, Body&& body) {
  if (dtype == DType::float64) {
    body(double());
  } else {
    body(float());
  }
}

}  // namespace fastdl
