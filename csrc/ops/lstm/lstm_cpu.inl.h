#include "ops/lstm/lstm_backward.inl.h"
#include "ops/lstm/lstm_bf16.inl.h"
#include "ops/lstm/lstm_forward.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// run<T, S>(): a pass that computes in T on arrays of S.
template <class Run>
FASTDL_INLINE void with_lstm_types(const LstmParams& p, const Run& run) {
#if FASTDL_SIMD_AVX512
  if (p.dtype == DType::bfloat16) return run(float(), BFloat16());
#endif
  with_type(p.dtype, [&]<class T>(T) { run(T(), T()); });
}

/// Whether the pass is one of float32 around which operands and results are converted.
FASTDL_INLINE bool is_widened(const LstmParams& params) {
  return params.dtype == DType::bfloat16 && !lstm_multiplies_pairs(params);
}

std::size_t lstm_forward_workspace_bytes(const LstmParams& params) {
  if (is_widened(params)) return lstm_bf16_forward_bytes(params);
  LstmScratch scratch{nullptr};
  with_lstm_types(params, [&]<class T, class S>(T, S) { LstmForwardScratch<T, S>(params, scratch); });
  return scratch.bytes;
}

Status lstm_forward(const Launch& launch, const LstmParams& params, const LstmInputs& inputs,
                    const LstmOutputs& outputs) {
  if (is_widened(params)) return lstm_bf16_forward(launch, params, inputs, outputs), Status{};
  with_lstm_types(params, [&]<class T, class S>(T, S) {
    LstmForwardPass<T, S>(launch.workspace, params, inputs, outputs).run();
  });
  return {};
}

std::size_t lstm_backward_workspace_bytes(const LstmParams& params) {
  if (is_widened(params)) return lstm_bf16_backward_bytes(params);
  LstmScratch scratch{nullptr};
  with_lstm_types(params, [&]<class T, class S>(T, S) { LstmBackwardScratch<T, S>(params, scratch); });
  return scratch.bytes;
}

Status lstm_backward(const Launch& launch, const LstmParams& params, const LstmOutputGradients& gradients,
                     const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& to) {
  if (is_widened(params)) return lstm_bf16_backward(launch, params, gradients, inputs, outputs, to), Status{};
  with_lstm_types(params, [&]<class T, class S>(T, S) {
    LstmBackwardPass<T, S>(launch.workspace, params, gradients, inputs, outputs, to).run();
  });
  return {};
}

}  // namespace

void fill_lstm(LstmKernels& kernels) {
  kernels = {lstm_forward_workspace_bytes, lstm_forward, lstm_backward_workspace_bytes, lstm_backward};
}

}  // namespace fastdl::FASTDL_ISA
