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

/// Whether the avx512 level multiplies pairs of bfloat16 with AVX512_BF16's instruction: where the processor
/// has it, unless set_bf16_dot(false) said otherwise. Without it bfloat16 is computed as float32.
bool bf16_dot();
/// For the tests. Answers what bf16_dot() said before.
bool set_bf16_dot(bool wanted);

/// The processor's name as its maker writes it, or "unknown".
std::string cpu_model();

}  // namespace fastdl
