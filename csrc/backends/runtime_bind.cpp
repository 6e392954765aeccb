#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <limits>

#include "backends/backends.h"
#include "core/allocator.h"
#include "core/array_bridge.h"
#include "core/check.h"
#include "core/error.h"
#include "core/gil.h"
#include "core/precision.h"
#include "core/thread_pool.h"

namespace fastdl {
namespace {

py::array empty(const std::vector<std::int64_t>& extents, const py::dtype& dtype) {
  Shape shape;
  for (const std::int64_t extent : extents) {
    if (extent < 0) throw ValueError(concat("[empty] shape: expected extents of at least 0, got ", extent));
    shape.push_back(extent);
  }
  return new_array(shape, known_dtype("empty", "dtype", dtype,
                                      "float32, float64, bfloat16, int64, int32, uint8 or bool", true));
}

void checked_set_num_threads(std::int64_t threads) {
  constexpr int most = std::numeric_limits<int>::max();
  check_at_least("set_num_threads", "threads", threads, 1);
  if (threads > most)
    throw ValueError(concat("[set_num_threads] threads: expected at most ", most, ", got ", threads));
  set_num_threads(static_cast<int>(threads));
}

void checked_set_float32_precision(const std::string& word) {
  for (const Float32Precision precision : {Float32Precision::highest, Float32Precision::high})
    if (word == name(precision)) return set_float32_precision(precision);
  throw ValueError(
      concat("[set_float32_precision] precision: expected 'highest' or 'high', got '", word, "'"));
}

py::dict memory_statistics() {
  const MemoryStats stats = memory_stats();
  py::dict result;
  result["allocated_bytes"] = stats.allocated_bytes;
  result["cached_bytes"] = stats.cached_bytes;
  result["peak_allocated_bytes"] = stats.peak_allocated_bytes;
  result["allocations"] = stats.allocations;
  result["cache_hits"] = stats.cache_hits;
  result["system_allocations"] = stats.system_allocations;
  return result;
}

std::vector<std::string> names(const std::vector<Isa>& isas, bool only_supported) {
  std::vector<std::string> result;
  for (const Isa isa : isas)
    if (!only_supported || supported(isa)) result.emplace_back(name(isa));
  return result;
}

std::vector<std::string> op_names() {
  return {
#define FASTDL_OP(stem, Type) #stem,
#include "ops/ops.inc"
#undef FASTDL_OP
  };
}

}  // namespace

void bind_runtime(py::module_& module) {
  active_isa();  // a level in FASTDL_ISA that cannot be had fails the import
  module.def("as_array", [](const std::string& op, const std::string& argument, py::handle object) {
    return as_array(op.c_str(), argument.c_str(), object);
  });
  module.def("empty", &empty, py::arg("shape"), py::arg("dtype"));
  module.def("memory_stats", &memory_statistics);
  module.def("reset_peak_memory_stats", &reset_peak_memory_stats);
  module.def("empty_cache", &empty_cache);
  module.def("set_num_threads", &checked_set_num_threads, py::arg("threads"));
  module.def("get_num_threads", &get_num_threads);
  module.def("set_float32_precision", &checked_set_float32_precision, py::arg("precision"));
  module.def("get_float32_precision", [] { return std::string(name(float32_precision())); });
  module.def("take_most_chunks", &take_most_chunks);
  module.def("force_isa", &force_isa, py::arg("name"));
  module.def("active_isa", [] { return std::string(name(active_isa())); });
  module.def("built_isas", [] { return names(built_isas(), false); });
  module.def("supported_isas", [] { return names(built_isas(), true); });
  module.def("bf16_dot", &bf16_dot);
  module.def("set_bf16_dot", &set_bf16_dot, py::arg("wanted"));
  module.def("cpu_model", [] { return cpu_model(); });
  module.def("op_names", &op_names);
  const py::call_guard<GilRelease> unlocked;
  module.def("measure_fma_peak", &measure_fma_peak, unlocked);
  module.def("measure_copy_bandwidth", &measure_copy_bandwidth, py::arg("bytes"), unlocked);
  module.def("measure_read_bandwidth", &measure_read_bandwidth, py::arg("bytes"), unlocked);
  module.def("use_host_backend", &use_host_backend, py::arg("library_path"));
}

}  // namespace fastdl
