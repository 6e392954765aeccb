#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SIMT_ASAN(...) __VA_ARGS__
constexpr std::size_t kStackBytes = 512 * 1024;
#else
#define SIMT_ASAN(...)
constexpr std::size_t kStackBytes = 128 * 1024;
#endif

#ifndef SIMT_USE_UCONTEXT
// simt_switch(void** from, void* to): saves the callee-saved registers and the stack pointer to *from, and
// takes those that an earlier switch, or Fiber::reset, left at `to`.
extern "C" __attribute__((visibility("hidden"))) void simt_switch(void** from, void* to);
#ifdef __x86_64__
asm(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, @function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch, . - simt_switch
)");
constexpr std::size_t kFrameWords = 8, kReturnWord = 6;  // 6 registers, return address, null caller
#else
asm(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, %function
simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size simt_switch, . - simt_switch
)");
constexpr std::size_t kFrameWords = 20, kReturnWord = 11;  // x30 is the return address
#endif
#endif

namespace simt {
namespace {
Fiber* starting;  // handed to Fiber::start, which takes no argument
}

Fiber::Fiber(void (*entry)()) : entry_(entry) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = kStackBytes + page;
  void* mapping = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<char*>(mapping);
  mprotect(mapping_, page, PROT_NONE);
  reset();
}

Fiber::~Fiber() {
  SIMT_ASAN(__asan_unpoison_memory_region(mapping_ + bytes_ - kStackBytes, kStackBytes);)
  munmap(mapping_, bytes_);
}

void Fiber::reset() {
  inside_fake_ = nullptr;
  char* const stack = mapping_ + bytes_ - kStackBytes;
  SIMT_ASAN(__asan_unpoison_memory_region(stack, kStackBytes);)
#ifdef SIMT_USE_UCONTEXT
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack;
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  makecontext(&inside_, &Fiber::start, 0);
#else
  auto* frame = reinterpret_cast<std::uintptr_t*>(stack + kStackBytes) - kFrameWords;
  std::memset(frame, 0, kFrameWords * sizeof *frame);
  frame[kReturnWord] = reinterpret_cast<std::uintptr_t>(&Fiber::start);
  inside_ = frame;
#endif
}

void Fiber::start() {
  [[maybe_unused]] Fiber* const fiber = starting;
  SIMT_ASAN(__sanitizer_finish_switch_fiber(nullptr, &fiber->outside_stack_, &fiber->outside_bytes_);)
  fiber->entry_();
}

void Fiber::enter() {
  starting = this;
  SIMT_ASAN(__sanitizer_start_switch_fiber(&outside_fake_, mapping_ + bytes_ - kStackBytes, kStackBytes);)
#ifdef SIMT_USE_UCONTEXT
  swapcontext(&outside_, &inside_);
#else
  simt_switch(&outside_, inside_);
#endif
  SIMT_ASAN(__sanitizer_finish_switch_fiber(outside_fake_, nullptr, nullptr);)
}

void Fiber::leave() {
  SIMT_ASAN(__sanitizer_start_switch_fiber(&inside_fake_, outside_stack_, outside_bytes_);)
#ifdef SIMT_USE_UCONTEXT
  swapcontext(&inside_, &outside_);
#else
  simt_switch(&inside_, outside_);
#endif
  SIMT_ASAN(__sanitizer_finish_switch_fiber(inside_fake_, &outside_stack_, &outside_bytes_);)
}

}  // namespace simt
