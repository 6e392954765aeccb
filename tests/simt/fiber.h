// A stack of its own for each CUDA thread that waits. Fibers are left and entered, never unwound.
#pragma once

#include <cstddef>
#if !(defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))) || defined(SIMT_UCONTEXT)
#define SIMT_USE_UCONTEXT 1
#include <ucontext.h>
#endif

namespace simt {

class Fiber {
 public:
  explicit Fiber(void (*entry)());  // entry must not return
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void enter();  // from the scheduler's stack; returns when the fiber calls leave()
  void leave();  // from the fiber; returns at the next enter()
  void reset();  // forgets the frames of an abandoned kernel: the next enter() calls entry

 private:
  static void start();

  void (*entry_)();
  char* mapping_;  // a guard page, then the stack
  std::size_t bytes_;
#ifdef SIMT_USE_UCONTEXT
  ucontext_t inside_, outside_;
#else
  void* inside_;
  void* outside_;
#endif
  const void* outside_stack_ = nullptr;  // AddressSanitizer's view of the scheduler's stack
  std::size_t outside_bytes_ = 0;
  void* inside_fake_ = nullptr;
  void* outside_fake_ = nullptr;
};

}  // namespace simt
