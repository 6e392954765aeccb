#pragma once

#include <string>
#include <vector>

#include "core/cpu_features.h"
#include "ops/backend_table.h"

namespace fastdl {

/// ISA levels compiled into this build, lowest first.
std::vector<Isa> built_isas();

/// The CPU kernels in use: the best supported level, or the one that FASTDL_ISA or force_isa named.
const BackendTable& cpu_backend();
Isa active_isa();

/// Throws ValueError for a level that is unknown, not built, or not supported by this CPU.
void force_isa(const std::string& isa_name);

/// Runs host arrays on the backend in a shared library instead of on the CPU kernels, until called with an
/// empty path. This is how the tests run CUDA kernels on the SIMT emulation.
void use_host_backend(const std::string& library_path);

/// The backend that host arrays run on.
const BackendTable& host_backend();

}  // namespace fastdl
