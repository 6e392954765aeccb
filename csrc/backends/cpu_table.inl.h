// Included once per ISA level with FASTDL_ISA defined; compiled for the baseline.

namespace fastdl::FASTDL_ISA {

#define FASTDL_OP(stem, Type) void fill_##stem(Type##Kernels& kernels);
#include "ops/ops.inc"
#undef FASTDL_OP
void fill_probe(ProbeKernels& kernels);

/// Call only where the CPU supports the level: the fill functions are compiled for it.
static const BackendTable& table() {
  static const BackendTable filled = [] {
    BackendTable result;
    result.name = "cpu";
#define FASTDL_OP(stem, Type) fill_##stem(result.stem);
#include "ops/ops.inc"
#undef FASTDL_OP
    fill_probe(result.probe);
    return result;
  }();
  return filled;
}

}  // namespace fastdl::FASTDL_ISA
