#pragma once

#include <cstdint>
#include <type_traits>

namespace fastdl {

/// Calls body(context, chunk) once for every chunk in [0, chunks) and returns when all calls have returned.
///
/// Which thread runs a chunk, and in what order, is unspecified: a result must depend on the chunk's number
/// alone. The calling thread takes part. A call from inside a body, or while another thread uses the pool,
/// runs in the calling thread. If bodies throw, all chunks still run, then the exception of the lowest chunk
/// is rethrown. A body must not fork.
///
/// Where PyTorch is loaded and has as many threads, these run the chunks (core/openmp_team.h).
void run_chunks(std::int64_t chunks, void (*body)(void* context, std::int64_t chunk), void* context);

/// run_chunks for a callable body(chunk). `static`, for code compiled per ISA level must not share symbols.
template <class Body>
[[gnu::always_inline]] static inline void parallel_for(std::int64_t chunks, Body&& body) {
  using Callable = std::remove_reference_t<Body>;
  run_chunks(
      chunks, [](void* context, std::int64_t chunk) { (*static_cast<Callable*>(context))(chunk); },
      const_cast<std::remove_const_t<Callable>*>(&body));
}

/// Calls body(context, step, chunk) for every chunk in [0, chunks) of step 0, then of step 1, and so on: a
/// step begins when all calls of the step before have returned, and sees what they wrote. The threads stay
/// together from the first step to the last, which costs a step a fraction of what a run_chunks of its own
/// would.
///
/// Otherwise as run_chunks, but a body must not throw: there is no way to leave the steps half done. A thread
/// has mostly the same chunks in every step, and takes them in turn forwards and backwards: what a step used
/// last, and left in the caches, is what the next one uses first.
void run_steps(std::int64_t steps, std::int64_t chunks,
               void (*body)(void* context, std::int64_t step, std::int64_t chunk) noexcept, void* context);

/// run_steps for a callable body(step, chunk).
template <class Body>
[[gnu::always_inline]] static inline void parallel_steps(std::int64_t steps, std::int64_t chunks,
                                                         Body&& body) {
  using Callable = std::remove_reference_t<Body>;
  run_steps(
      steps, chunks,
      [](void* context, std::int64_t step, std::int64_t chunk) noexcept {
        (*static_cast<Callable*>(context))(step, chunk);
      },
      const_cast<std::remove_const_t<Callable>*>(&body));
}

/// The most chunks that one call of run_chunks, or one step of run_steps, had since the last call of this, or
/// 0: by it, tests of determinism see that there was something to share.
std::int64_t take_most_chunks();

/// The number of threads that share a call's chunks, the calling thread included (1024 at most take part).
/// Throws std::invalid_argument for less than 1. Counts from the next run_chunks on, for the whole process.
void set_num_threads(int threads);

/// What set_num_threads was given; before that the first number in OMP_NUM_THREADS, or else the number of
/// CPUs that this process may use (its affinity mask and its cgroup's CPU quota).
int get_num_threads();

}  // namespace fastdl
