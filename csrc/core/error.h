#pragma once

#include <stdexcept>

namespace fastdl {

/// Becomes Python's ValueError: a wrong shape or value.
class ValueError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Becomes Python's TypeError: a wrong dtype or kind of object.
class TypeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Becomes Python's MemoryError.
class OutOfMemory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace fastdl
