#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "backends/backends.h"
#include "core/error.h"
#include "core/shape.h"

#if FASTDL_BUILD_BASELINE
#define FASTDL_ISA baseline
#include "backends/cpu_table.inl.h"
#undef FASTDL_ISA
#endif

#if FASTDL_BUILD_AVX2
#define FASTDL_ISA avx2
#include "backends/cpu_table.inl.h"
#undef FASTDL_ISA
#endif

#if FASTDL_BUILD_AVX512
#define FASTDL_ISA avx512
#include "backends/cpu_table.inl.h"
#undef FASTDL_ISA
#endif

#if FASTDL_BUILD_NEON
#define FASTDL_ISA neon
#include "backends/cpu_table.inl.h"
#undef FASTDL_ISA
#endif

namespace fastdl {
namespace {

const BackendTable& table(Isa isa) {
  switch (isa) {
#if FASTDL_BUILD_BASELINE
    case Isa::baseline:
      return baseline::table();
#endif
#if FASTDL_BUILD_AVX2
    case Isa::avx2:
      return avx2::table();
#endif
#if FASTDL_BUILD_AVX512
    case Isa::avx512:
      return avx512::table();
#endif
#if FASTDL_BUILD_NEON
    case Isa::neon:
      return neon::table();
#endif
    default:
      throw ValueError(concat("the ISA level ", name(isa), " is not in this build"));
  }
}

Isa checked_isa(const char* argument, const std::string& isa_name) {
  std::string usable;
  for (const Isa isa : built_isas()) {
    if (!supported(isa)) continue;
    if (isa_name == name(isa)) return isa;
    usable += concat(usable.empty() ? "" : ", ", "'", name(isa), "'");
  }
  throw ValueError(concat(argument, ": expected one of ", usable,
                          ", the levels that this build and this CPU have, got '", isa_name, "'"));
}

Isa initial_isa() {
  const char* wanted = std::getenv("FASTDL_ISA");
  if (wanted != nullptr && *wanted != '\0') return checked_isa("FASTDL_ISA", wanted);
  const auto built = built_isas();
  return *std::find_if(built.rbegin(), built.rend(), supported);
}

std::atomic<Isa>& active() {
  static std::atomic<Isa> isa{initial_isa()};
  return isa;
}

}  // namespace

std::vector<Isa> built_isas() {
  std::vector<Isa> isas;
#if FASTDL_BUILD_BASELINE
  isas.push_back(Isa::baseline);
#endif
#if FASTDL_BUILD_AVX2
  isas.push_back(Isa::avx2);
#endif
#if FASTDL_BUILD_AVX512
  isas.push_back(Isa::avx512);
#endif
#if FASTDL_BUILD_NEON
  isas.push_back(Isa::neon);
#endif
  return isas;
}

const BackendTable& cpu_backend() {
  return table(active_isa());
}

Isa active_isa() {
  return active().load(std::memory_order_relaxed);
}

void force_isa(const std::string& isa_name) {
  active().store(checked_isa("[force_isa] name", isa_name));
}

}  // namespace fastdl
