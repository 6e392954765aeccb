#pragma once

#include <cstdint>
#include <string>

namespace fastdl {

/// What a loss does with its elements.
enum class Reduction : std::int32_t { none = 0, mean = 1, sum = 2 };

/// Throws ValueError for anything but "none", "mean" and "sum".
Reduction parse_reduction(const char* op, const std::string& reduction);

}  // namespace fastdl
