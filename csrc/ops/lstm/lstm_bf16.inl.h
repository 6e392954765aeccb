// lstm on bfloat16: the float32 passes on wider copies, but for forward's product with the input, which is
// one of pairs where the processor has them. States, gates and sums stay float32 over all steps, and each
// result is rounded once.
#pragma once

#include "core/cpu_features.h"
#include "core/simd_math.h"
#include "ops/lstm/lstm.h"
#include "primitives/bf16_float32.inl.h"
#include "primitives/bf16_product.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

// The float32 passes, of lstm_cpu.inl.h.
std::size_t lstm_forward_workspace_bytes(const LstmParams& params);
Status lstm_forward(const Launch& launch, const LstmParams& params, const LstmInputs& inputs,
                    const LstmOutputs& outputs);
std::size_t lstm_backward_workspace_bytes(const LstmParams& params);
Status lstm_backward(const Launch& launch, const LstmParams& params, const LstmOutputGradients& gradients,
                     const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& to);

/// Whether forward multiplies the input with weight_ih in pairs, for all steps at once: the products are
/// those of float32, exactly, at twice the rate. For the rows in between, a step's product
/// that takes the input in too was as fast.
FASTDL_INLINE bool lstm_projects_pairs(const LstmParams& p) {
#if FASTDL_SIMD_AVX512
  return bf16_dot() && p.T * p.N >= 64 && p.I >= 64 && p.H >= 64 && (p.N < 8 || p.N >= 32);
#else
  return (void)p, false;
#endif
}

#if FASTDL_SIMD_AVX512

/// sums (T * N rows of 4 H, `stride` apart) = input weight_ih^T + bias.
inline void project_lstm_input(const LstmParams& p, const LstmInputs& in, const float* bias, float* sums,
                               std::int64_t stride) {
  const PairLines rows{static_cast<const BFloat16*>(in.input), p.I, 1, p.I};
  const PairLines columns{static_cast<const BFloat16*>(in.weight_ih), p.I, 1, p.I};
  const PairPlan plan = plan_pairs(p.T * p.N, 4 * p.H, rows.pairs(), false);
  const Workspace packed(static_cast<std::size_t>(plan.a_size()) * sizeof(std::uint32_t));
  const auto pack_with = [](const PairLines& lines) {
    return [&lines](std::int64_t k, std::int64_t pairs, std::int64_t line, int count, std::int64_t pitch,
                    std::uint32_t* to) { lines.pack(k, pairs, line, count, pitch, to); };
  };
  const auto write = [&](const PairSums& made) {
    for (int v = 0; v < made.columns; v += lanes<float>) {
      const int count = std::min(lanes<float>, made.columns - v);
      const Vec<float> start = load_up_to(bias + made.column + v, count);
      for (std::int64_t i = 0; i < made.rows; ++i)
        store_up_to(sums + (made.row + i) * stride + made.column + v,
                    Vec<float>(load(made.values + i * made.pitch + v) + start), count);
    }
  };
  multiply_pairs(plan, pack_with(rows), pack_with(columns), write,
                 static_cast<std::uint32_t*>(packed.data()));
}

#endif

/// One direction, whose output lies alone.
FASTDL_INLINE LstmParams lstm_as_float32(LstmParams p) {
  p.dtype = DType::float32;
  p.directions = 1;
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

/// The output before it was rounded, h = o tanh(c), from the reserve. A single step's backward reads none.
inline void restore_lstm_output(const LstmParams& p, const float* reserve, float* output) {
  if (p.T == 1) return;
  parallel_for(p.T, [&](std::int64_t t) {
    for (std::int64_t row = t * p.N; row < (t + 1) * p.N; ++row)
      for (std::int64_t unit = 0; unit < p.H; unit += lanes<float>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<float>, p.H - unit));
        const float* saved = reserve + row * p.reserve_row() + unit;
        const Vec<float> o = load_up_to(saved + 3 * p.H, count), c = load_up_to(saved + 4 * p.H, count);
        store_up_to(output + row * p.H + unit, Vec<float>(o * tanh(c)), count);
      }
  });
}

/// Input and weight_ih as they are where `bf16_input`.
inline LstmInputs widened_lstm_inputs(const LstmParams& p, const LstmInputs& in, bool bf16_input,
                                      WorkspacePieces& pieces) {
  LstmInputs wide{};
  wide.input = bf16_input ? in.input : widened_operand(in.input, p.T * p.N * p.I, pieces);
  wide.h_0 = widened_operand(in.h_0, p.N * p.H, pieces);
  wide.c_0 = widened_operand(in.c_0, p.N * p.H, pieces);
  wide.weight_ih = bf16_input ? in.weight_ih : widened_operand(in.weight_ih, 4 * p.H * p.I, pieces);
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

FASTDL_INLINE LstmParams lstm_forward_as_float32(const LstmParams& p) {
  LstmParams wide = lstm_as_float32(p);
  wide.bf16_input = lstm_projects_pairs(p);
  return wide;
}

inline std::size_t lstm_bf16_forward_bytes(const LstmParams& p) {
  WorkspacePieces pieces(nullptr);
  widened_lstm_inputs(p, {}, lstm_projects_pairs(p), pieces);
  for (const std::int64_t count : {p.T * p.N * p.H, p.N * p.H, p.N * p.H}) pieces.take<float>(count);
  return pieces.bytes() + lstm_forward_workspace_bytes(lstm_forward_as_float32(p));
}

inline void lstm_bf16_forward(const Launch& launch, const LstmParams& p, const LstmInputs& in,
                              const LstmOutputs& out) {
  WorkspacePieces pieces(launch.workspace);
  const std::int64_t state = p.N * p.H;
  const LstmInputs wide_in = widened_lstm_inputs(p, in, lstm_projects_pairs(p), pieces);
  const LstmOutputs wide{pieces.take<float>(p.T * state), wide_result(out.h_n, state, pieces),
                         wide_result(out.c_n, state, pieces), out.reserve};
  lstm_forward({launch.stream, pieces.take<char>(0)}, lstm_forward_as_float32(p), wide_in, wide);
  narrow_lstm_rows(p, static_cast<const float*>(wide.output), out.output);
  narrow_result(wide.h_n, state, out.h_n);
  narrow_result(wide.c_n, state, out.c_n);
}

inline std::size_t lstm_bf16_backward_bytes(const LstmParams& p) {
  WorkspacePieces pieces(nullptr);
  pieces.take<float>(p.T * p.N * p.I);
  widened_lstm_inputs(p, {}, false, pieces);
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
  const LstmInputs wide_in = widened_lstm_inputs(p, in, false, pieces);
  float* const output = pieces.take<float>(p.T * state);
  restore_lstm_output(p, static_cast<const float*>(out.reserve), output);
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
                {output, nullptr, nullptr, out.reserve}, wide);
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
