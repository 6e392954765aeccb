#pragma once

namespace fastdl {

/// The OpenMP threads of PyTorch, where PyTorch is in the process. Two teams of threads that wait by spinning
/// take the cores from each other; one team that runs both libraries' work does not.
class OpenMpTeam {
 public:
  /// PyTorch's, or null where it is not loaded (yet), or where this is a forked child, in which libgomp waits
  /// for threads that are not there. Not for two threads at once.
  static const OpenMpTeam* of_torch();

  /// How many threads a parallel region of this thread has.
  int size() const { return max_threads_(); }

  /// Calls body(context, member) in each of `size` threads; the calling one is member 0. Inside a region
  /// there may be fewer. A body must not throw.
  void run(int size, void (*body)(void* context, int member), void* context) const;

 private:
  bool find();

  void (*parallel_)(void (*function)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*max_threads_)() = nullptr;
  int (*thread_num_)() = nullptr;
};

}  // namespace fastdl
