#pragma once

#include <cstddef>
#include <cstdint>

namespace fastdl {

/// What a kernel is given beside its operands: where to run and its scratch memory, at least as large as the
/// op's workspace function asked for, 64-byte aligned; null where it asked for none. `stream` is null on the
/// CPU.
struct Launch {
  void* stream = nullptr;
  void* workspace = nullptr;
};

/// What a kernel answers. Bindings turn everything but `ok` into a Python exception.
struct Status {
  enum Code : std::int32_t { ok = 0, bad_index = 1, launch_failed = 2, bad_probability = 3 };
  Code code = ok;
  std::int64_t position = 0;  ///< bad_index, bad_probability: flat position in the operand
  std::int64_t value = 0;     ///< bad_index: what was found there; bad_probability: which operand
  double number = 0;          ///< bad_probability: what was found there
};

/// What every backend tells of itself; the table of its kernels (ops/backend_table.h) begins with it.
struct Backend {
  static constexpr std::uint32_t current_version = 1;

  std::uint32_t version = current_version;
  std::uint32_t bytes = 0;  ///< of the whole table
  const char* name = "";
  /// Text of the last failed launch in this thread; null on the CPU.
  const char* (*last_error)() = nullptr;
};

}  // namespace fastdl
