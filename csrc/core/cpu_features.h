#pragma once

#include <string>

namespace fastdl {

/// The instruction sets that the CPU kernels are compiled for. `baseline` is x86-64-v2 on x86.
enum class Isa { baseline, avx2, avx512, neon };

/// The name that FASTDL_ISA and force_isa() use.
const char* name(Isa isa);

/// True if this processor and this operating system run code compiled for `isa`:
/// avx2 means AVX2, FMA and F16C; avx512 means these and AVX-512 F, BW, DQ and VL.
bool supported(Isa isa);

/// The widest supported level.
Isa best_supported();

/// The processor's name as its maker writes it, or "unknown".
std::string cpu_model();

}  // namespace fastdl
