// lstm on bfloat16: the passes of lstm_forward.inl.h and lstm_backward.inl.h on pairs, where the processor
// multiplies them and there is enough to multiply, else those of float32 on wider copies. By either way h and
// the gradients of the sums before activation are rounded to bfloat16 in every step; cells, gates and sums
// are float32.
#pragma once

#include "core/cpu_features.h"
#include "core/simd_math.h"
#include "ops/lstm/lstm.h"
#include "primitives/bf16_float32.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

// The float32 passes, of lstm_cpu.inl.h.
std::size_t lstm_forward_workspace_bytes(const LstmParams& params);
Status lstm_forward(const Launch& launch, const LstmParams& params, const LstmInputs& inputs,
                    const LstmOutputs& outputs);
std::size_t lstm_backward_workspace_bytes(const LstmParams& params);
Status lstm_backward(const Launch& launch, const LstmParams& params, const LstmOutputGradients& gradients,
                     const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& to);

/// Whether the passes multiply pairs.
FASTDL_INLINE bool lstm_multiplies_pairs(const LstmParams& p) {
#if FASTDL_SIMD_AVX512
  return bf16_dot() && p.T * p.N >= 8 && p.H >= 32;
#else
  return (void)p, false;
#endif
}

/// One direction, whose output lies alone.
FASTDL_INLINE LstmParams lstm_as_float32(LstmParams p) {
  p.dtype = DType::float32;
  p.directions = 1;
  p.rounded = true;
  return p;
}

/// The rows of one direction's output, output_stride() apart, as float32 side by side; null stays null.
inline const float* widened_lstm_rows(const LstmParams& p, const void* from, WorkspacePieces& pieces) {
  float* const to = pieces.take<float>(p.T * p.N * p.H);
  if (from == nullptr) return nullptr;
  if (p.directions == 1) return widen(static_cast<const BFloat16*>(from), p.T * p.N * p.H, to), to;
  parallel_for(p.T, [&](std::int64_t t) {
    for (std::int64_t row = t * p.N; row < (t + 1) * p.N; ++row)
      for (std::int64_t unit = 0; unit < p.H; unit += lanes<float>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<float>, p.H - unit));
        const auto* at = static_cast<const BFloat16*>(from) + row * p.output_stride() + unit;
        store_up_to(to + row * p.H + unit, load_bf16(at, count), count);
      }
  });
  return to;
}

/// The other way round.
inline void narrow_lstm_rows(const LstmParams& p, const float* from, void* to) {
  if (p.directions == 1) return narrow_sums(from, 1, p.T * p.N * p.H, static_cast<BFloat16*>(to));
  parallel_for(p.T, [&](std::int64_t t) {
    for (std::int64_t row = t * p.N; row < (t + 1) * p.N; ++row)
      for (std::int64_t unit = 0; unit < p.H; unit += lanes<float>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<float>, p.H - unit));
        auto* const at = static_cast<BFloat16*>(to) + row * p.output_stride() + unit;
        store_bf16(at, load_up_to(from + row * p.H + unit, count), count);
      }
  });
}

inline LstmInputs widened_lstm_inputs(const LstmParams& p, const LstmInputs& in, WorkspacePieces& pieces) {
  LstmInputs wide{};
  wide.input = widened_operand(in.input, p.T * p.N * p.I, pieces);
  wide.h_0 = widened_operand(in.h_0, p.N * p.H, pieces);
  wide.c_0 = widened_operand(in.c_0, p.N * p.H, pieces);
  wide.weight_ih = widened_operand(in.weight_ih, 4 * p.H * p.I, pieces);
  wide.weight_hh = widened_operand(in.weight_hh, 4 * p.H * p.H, pieces);
  wide.bias_ih = widened_operand(in.bias_ih, 4 * p.H, pieces);
  wide.bias_hh = widened_operand(in.bias_hh, 4 * p.H, pieces);
  return wide;
}

/// A float32 result in the workspace, where it is wanted.
inline void* wide_result(const void* wanted, std::int64_t count, WorkspacePieces& pieces) {
  float* const piece = pieces.take<float>(count);
  return wanted ? piece : nullptr;
}

inline void narrow_result(const void* from, std::int64_t count, void* to) {
  if (to) narrow_sums(static_cast<const float*>(from), 1, count, static_cast<BFloat16*>(to));
}

inline std::size_t lstm_bf16_forward_bytes(const LstmParams& p) {
  WorkspacePieces pieces(nullptr);
  widened_lstm_inputs(p, {}, pieces);
  for (const std::int64_t count : {p.T * p.N * p.H, p.N * p.H, p.N * p.H}) pieces.take<float>(count);
  return pieces.bytes() + lstm_forward_workspace_bytes(lstm_as_float32(p));
}

inline void lstm_bf16_forward(const Launch& launch, const LstmParams& p, const LstmInputs& in,
                              const LstmOutputs& out) {
  WorkspacePieces pieces(launch.workspace);
  const std::int64_t state = p.N * p.H;
  const LstmInputs wide_in = widened_lstm_inputs(p, in, pieces);
  const LstmOutputs wide{pieces.take<float>(p.T * state), wide_result(out.h_n, state, pieces),
                         wide_result(out.c_n, state, pieces), out.reserve};
  lstm_forward({launch.stream, pieces.take<char>(0)}, lstm_as_float32(p), wide_in, wide);
  narrow_lstm_rows(p, static_cast<const float*>(wide.output), out.output);
  narrow_result(wide.h_n, state, out.h_n);
  narrow_result(wide.c_n, state, out.c_n);
}

inline std::size_t lstm_bf16_backward_bytes(const LstmParams& p) {
  WorkspacePieces pieces(nullptr);
  pieces.take<float>(p.T * p.N * p.I);
  widened_lstm_inputs(p, {}, pieces);
  const std::int64_t state = p.N * p.H, rows = p.T * state;
  for (const std::int64_t count :
       {rows, rows, state, state, state, state, 4 * p.H * p.I, 4 * p.H * p.H, 4 * p.H, 4 * p.H})
    pieces.take<float>(count);
  return pieces.bytes() + lstm_backward_workspace_bytes(lstm_as_float32(p));
}

inline void lstm_bf16_backward(const Launch& launch, const LstmParams& p, const LstmOutputGradients& grads,
                               const LstmInputs& in, const LstmOutputs& out, const LstmInputGradients& to) {
  WorkspacePieces pieces(launch.workspace);
  const std::int64_t state = p.N * p.H, input = p.T * p.N * p.I;
  LstmInputGradients wide{};
  wide.input =
      wide_result(to.input, input, pieces);  // first: the other direction finds it here and adds to it
  wide.accumulate_input = to.accumulate_input;
  const LstmInputs wide_in = widened_lstm_inputs(p, in, pieces);
  const float* const output = widened_lstm_rows(p, out.output, pieces);
  LstmOutputGradients wide_grads{};
  wide_grads.output = widened_lstm_rows(p, grads.output, pieces);
  wide_grads.h_n = widened_operand(grads.h_n, state, pieces);
  wide_grads.c_n = widened_operand(grads.c_n, state, pieces);
  wide.h_0 = wide_result(to.h_0, state, pieces);
  wide.c_0 = wide_result(to.c_0, state, pieces);
  wide.weight_ih = wide_result(to.weight_ih, 4 * p.H * p.I, pieces);
  wide.weight_hh = wide_result(to.weight_hh, 4 * p.H * p.H, pieces);
  wide.bias_ih = wide_result(to.bias_ih, 4 * p.H, pieces);
  wide.bias_hh = wide_result(to.bias_hh, 4 * p.H, pieces);
  lstm_backward({launch.stream, pieces.take<char>(0)}, lstm_as_float32(p), wide_grads, wide_in,
                {const_cast<float*>(output), nullptr, nullptr, out.reserve}, wide);
  if (p.directions == 1 || to.accumulate_input) narrow_result(wide.input, input, to.input);
  narrow_result(wide.h_0, state, to.h_0);
  narrow_result(wide.c_0, state, to.c_0);
  narrow_result(wide.weight_ih, 4 * p.H * p.I, to.weight_ih);
  narrow_result(wide.weight_hh, 4 * p.H * p.H, to.weight_hh);
  narrow_result(wide.bias_ih, 4 * p.H, to.bias_ih);
  narrow_result(wide.bias_hh, 4 * p.H, to.bias_hh);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
