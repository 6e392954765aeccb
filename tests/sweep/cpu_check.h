#pragma once

/// Whether this CPU has the instructions that this file is compiled with. No vector instruction may come
/// before it.
inline bool cpu_runs_this_level() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#elif defined(__SSE4_2__)
  return __builtin_cpu_supports("sse4.2");
#else
  return true;
#endif
}
