#pragma once

#include <Python.h>
#include <unistd.h>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace fastdl {

/// Releases the GIL for a scope.
///
/// Up to Python 3.13, a daemon thread that wants the GIL back when the interpreter has begun to end is ended
/// by pthread_exit, which unwinds its stack; out of a destructor that terminates the process. Here the thread
/// sleeps until the process is gone, which is what Python 3.14 does.
class GilRelease {
 public:
  GilRelease() : thread_state_(PyEval_SaveThread()) {}
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

  ~GilRelease() {
#if defined(__GLIBCXX__)
    try {
      PyEval_RestoreThread(thread_state_);
    } catch (const abi::__forced_unwind&) {
      for (;;) pause();
    }
#else
    PyEval_RestoreThread(thread_state_);
#endif
  }

 private:
  PyThreadState* thread_state_;
};

}  // namespace fastdl
