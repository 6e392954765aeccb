#pragma once

#include "core/dtype.h"

namespace fastdl {

/// One tensor of a list that a kernel works through in a single call; an op's own struct adds the pointers.
/// Each of the tensor's arrays is one block of memory, all in the same order of elements.
struct ListedTensor {
  DType dtype;
  std::int64_t begin;  ///< elements of the tensors before it in the list
  std::int64_t size;
};

}  // namespace fastdl
