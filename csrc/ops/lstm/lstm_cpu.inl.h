#include "ops/lstm/lstm_backward.inl.h"
#include "ops/lstm/lstm_bf16.inl.h"
#include "ops/lstm/lstm_forward.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

FASTDL_INLINE bool is_bf16(const LstmParams& params) {
  return params.dtype == DType::bfloat16;
}

std::size_t lstm_forward_workspace_bytes(const LstmParams& params) {
  if (is_bf16(params)) return lstm_bf16_forward_bytes(params);
  LstmScratch scratch{nullptr};
  with_type(params.dtype, [&]<class T>(T) { LstmForwardScratch<T>(params, scratch); });
  return scratch.bytes;
}

Status lstm_forward(const Launch& launch, const LstmParams& params, const LstmInputs& inputs,
                    const LstmOutputs& outputs) {
  if (is_bf16(params)) return lstm_bf16_forward(launch, params, inputs, outputs), Status{};
  with_type(params.dtype,
            [&]<class T>(T) { LstmForwardPass<T>(launch.workspace, params, inputs, outputs).run(); });
  return {};
}

std::size_t lstm_backward_workspace_bytes(const LstmParams& params) {
  if (is_bf16(params)) return lstm_bf16_backward_bytes(params);
  LstmScratch scratch{nullptr};
  with_type(params.dtype, [&]<class T>(T) { LstmBackwardScratch<T>(params, scratch); });
  return scratch.bytes;
}

Status lstm_backward(const Launch& launch, const LstmParams& params, const LstmOutputGradients& gradients,
                     const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& to) {
  if (is_bf16(params)) return lstm_bf16_backward(launch, params, gradients, inputs, outputs, to), Status{};
  with_type(params.dtype, [&]<class T>(T) {
    LstmBackwardPass<T>(launch.workspace, params, gradients, inputs, outputs, to).run();
  });
  return {};
}

}  // namespace

void fill_lstm(LstmKernels& kernels) {
  kernels = {lstm_forward_workspace_bytes, lstm_forward, lstm_backward_workspace_bytes, lstm_backward};
}

}  // namespace fastdl::FASTDL_ISA
