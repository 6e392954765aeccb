#include "core/cpu_features.h"

#include <atomic>
#include <fstream>

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstring>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace fastdl {
namespace {

#if defined(__x86_64__)

bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

std::string brand_string() {
  char text[49] = {};
  for (unsigned part = 0; part < 3; ++part) {
    unsigned registers[4] = {};
    if (__get_cpuid(0x80000002u + part, &registers[0], &registers[1], &registers[2], &registers[3]) == 0) {
      return {};
    }
    std::memcpy(text + 16 * part, registers, sizeof registers);
  }
  return text;
}

#elif defined(__APPLE__)

std::string brand_string() {
  char text[128] = {};
  std::size_t size = sizeof text - 1;
  return sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) == 0 ? text : std::string();
}

#else

std::string brand_string() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    if (line.starts_with("model name") || line.starts_with("Model")) return line.substr(colon + 1);
  }
  return {};
}

#endif

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

const char* name(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return "baseline";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::neon:
      return "neon";
  }
  return "unknown";
}

bool supported(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    // __builtin_cpu_supports also asks whether the operating system saves the wide registers.
    case Isa::baseline:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case Isa::avx512:
#if FASTDL_LOWER_AVX512
      return supported(Isa::avx2);
#else
      return supported(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
#endif
    case Isa::neon:
      return false;
#elif defined(__aarch64__)
    case Isa::baseline:
    case Isa::neon:
      return true;
    case Isa::avx2:
    case Isa::avx512:
      return false;
#else
    case Isa::baseline:
      return true;
    case Isa::avx2:
    case Isa::avx512:
    case Isa::neon:
      return false;
#endif
  }
  return false;
}

namespace {

bool has_bf16_dot() {
#if defined(__x86_64__) && !FASTDL_LOWER_AVX512
  return supported(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

std::atomic<bool>& bf16_dot_flag() {
  static std::atomic<bool> flag{has_bf16_dot()};
  return flag;
}

}  // namespace

bool bf16_dot() {
  return bf16_dot_flag().load(std::memory_order_relaxed);
}

bool set_bf16_dot(bool wanted) {
  return bf16_dot_flag().exchange(wanted && has_bf16_dot());
}

Isa best_supported() {
  for (const Isa isa : {Isa::avx512, Isa::avx2, Isa::neon}) {
    if (supported(isa)) return isa;
  }
  return Isa::baseline;
}

std::string cpu_model() {
  const std::string model = trimmed(brand_string());
  return model.empty() ? "unknown" : model;
}

}  // namespace fastdl
