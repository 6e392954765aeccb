// Where the launch in progress stands: private to the emulation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fiber.h"
#include "simt.h"

namespace simt {

enum class State : std::uint8_t { ready, at_barrier, in_warp_operation, exited };

struct Thread {
  uint3 index;
  unsigned rank;
  State state;
  Fiber* fiber;  // null before the first instruction and after the last
  Site site;     // of the barrier or warp operation that it reached last
  const char* operation;
  unsigned mask, source;
  std::uint64_t value;
  WarpResult result;
};

struct Warp {
  unsigned waiting;     // lanes in a warp operation
  std::uint64_t epoch;  // __syncwarp()s so far in this block
};

struct Launch {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Thread* self;  // the running one
  unsigned at_barrier, exited;
  const Thread* first_at_barrier;
  std::uint64_t epoch, block_epoch;  // barriers so far, of all blocks of all launches; when the block began
  bool failed;
};
extern Launch now;

std::string name_of(const Thread& t);  // "thread (x, y, z)"
std::string where(const Site& site);   // "file:line"

inline constexpr std::size_t kSharedLimit = 99 * 1024;  // of compute capability 8.6: the least from 8.0 on
void begin_shared_memory(std::size_t dynamic_bytes);    // of a launch
void poison_shared_memory();                            // of a block

}  // namespace simt
