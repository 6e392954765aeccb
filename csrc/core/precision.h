#pragma once

#include <cstdint>

namespace fastdl {

/// How exact float32 results must be, in PyTorch's words: `highest` keeps the library's bound
/// (tests/tolerances.py); `high` also allows algorithms whose error is some five times as large. float64
/// always keeps the bound. The values are part of the backend interface.
enum class Float32Precision : std::int32_t { highest = 0, high = 1 };

/// The process's setting; `highest` at first. An op reads it once a call, before it asks for a workspace.
Float32Precision float32_precision();

void set_float32_precision(Float32Precision precision);

const char* name(Float32Precision precision);

}  // namespace fastdl
