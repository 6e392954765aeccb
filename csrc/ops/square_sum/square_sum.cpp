#include "ops/square_sum/square_sum.h"

namespace fastdl {

std::int64_t square_sum_chunks(std::int64_t elements) {
  return (elements + square_sum_elements - 1) / square_sum_elements;
}

}  // namespace fastdl
