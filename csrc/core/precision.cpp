#include "core/precision.h"

#include <atomic>

namespace fastdl {
namespace {

std::atomic<Float32Precision> chosen{Float32Precision::highest};

}  // namespace

Float32Precision float32_precision() {
  return chosen.load(std::memory_order_relaxed);
}

void set_float32_precision(Float32Precision precision) {
  chosen.store(precision, std::memory_order_relaxed);
}

const char* name(Float32Precision precision) {
  return precision == Float32Precision::high ? "high" : "highest";
}

}  // namespace fastdl
