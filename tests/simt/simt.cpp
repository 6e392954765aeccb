#include "simt.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fiber.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) static_cast<void>(address)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) static_cast<void>(address)
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {
namespace {

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

struct SharedArray {
  const void* key;
  const char* name;
  std::size_t offset, bytes;
};

// The last write and the reads since, of one byte of shared memory. Epochs count the barriers of all
// blocks, so that an earlier block's entries are stale without being cleared.
struct Shadow {
  std::uint64_t write_epoch, read_epoch;
  std::uint64_t write_warp_epoch, read_warp_epoch;
  std::uint16_t writer, reader;
  bool atomic, many_lanes_read, many_warps_read;
};

enum class Kind { in_order, reverse, shuffled, warp_greedy };
constexpr const char* kKinds[] = {"in_order", "reverse", "shuffled", "warp_greedy"};

constexpr std::size_t kSharedBytes = 99 * 1024;  // of compute capability 8.6, the least of those after 8.0
constexpr std::size_t kStaticBytes = 48 * 1024;
constexpr std::size_t kGap = 64;  // bytes before and after an array that belong to none
constexpr std::size_t kArenaBytes = 2 * kSharedBytes;

alignas(128) char arena[kArenaBytes];
Shadow shadow[kArenaBytes];

std::mutex launching;
thread_local char message[512];
bool failed;

void (*kernel)(void*);
void* context;
std::vector<Thread> threads;
std::vector<Warp> warps;
std::vector<SharedArray> arrays;
std::size_t arena_used, static_bytes;
Thread* self;
unsigned at_barrier, exited;
std::uint64_t epoch, block_epoch;

std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Fiber*> idle;

Kind schedule_kind = Kind::in_order;
std::mt19937_64 random_bits;
std::uint64_t schedule_seed;

bool set_schedule(const char* kind, std::uint64_t seed) {
  const auto found = std::find(std::begin(kKinds), std::end(kKinds), std::string(kind));
  if (found == std::end(kKinds)) return false;
  schedule_kind = static_cast<Kind>(found - std::begin(kKinds));
  schedule_seed = seed;
  return true;
}

// FASTDL_SIMT_SCHEDULE is a kind, or a kind and a seed as in "shuffled:7".
const bool schedule_is_known = [] {
  const char* variable = std::getenv("FASTDL_SIMT_SCHEDULE");
  const std::string spec = variable ? variable : "in_order";
  const auto colon = std::min(spec.find(':'), spec.size());
  return set_schedule(spec.substr(0, colon).c_str(),
                      std::strtoull(spec.c_str() + colon + (colon < spec.size()), nullptr, 10));
}();

template <class T>
void shuffle(std::vector<T>& items) {
  for (std::size_t n = items.size(); n > 1; --n) std::swap(items[n - 1], items[random_bits() % n]);
}

std::string where(const Site& site) {
  const std::string path = site.file_name();
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(site.line());
}

std::string name_of(const Thread& t) {
  return "thread (" + std::to_string(t.index.x) + ", " + std::to_string(t.index.y) + ", " +
         std::to_string(t.index.z) + ")";
}

std::string doing(const Thread& t) {
  switch (t.state) {
    case State::exited:
      return "has exited";
    case State::at_barrier:
      return "waits at the barrier " + where(t.site);
    case State::in_warp_operation: {
      char mask[16];
      std::snprintf(mask, sizeof mask, "%#x", t.mask);
      return std::string("waits in ") + t.operation + " with mask " + mask + " at " + where(t.site);
    }
    default:
      return "runs";
  }
}

void report(const Thread& t, const char* text) {
  std::snprintf(message, sizeof message, "block (%u, %u, %u), %s: %s", blockIdx.x, blockIdx.y, blockIdx.z,
                name_of(t).c_str(), text);
  failed = true;
}

void report(const Thread& t, const std::string& text) {
  report(t, text.c_str());
}

void wait(State state) {
  self->state = state;
  self->fiber->leave();
}

void run_threads() {
  for (;;) {
    kernel(context);
    ++exited;
    wait(State::exited);
  }
}

void resume(Thread& t) {
  if (!t.fiber) {
    if (idle.empty()) idle.push_back(fibers.emplace_back(std::make_unique<Fiber>(&run_threads)).get());
    t.fiber = idle.back();
    idle.pop_back();
  }
  self = &t;
  threadIdx = t.index;
  t.fiber->enter();
  if (t.state == State::exited) idle.push_back(std::exchange(t.fiber, nullptr));
}

// No thread can go on: says which wait cannot end, and why.
void diagnose() {
  for (const Thread& t : threads) {
    if (t.state != State::in_warp_operation) continue;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (!(t.mask >> lane & 1)) continue;
      const Thread& other = threads[t.rank / 32 * 32 + lane];
      if (other.state == State::in_warp_operation && other.mask == t.mask && other.operation == t.operation) {
        continue;
      }
      return report(
          t, doing(t) + ", but lane " + std::to_string(lane) + ", " + name_of(other) + ", " + doing(other));
    }
  }
  for (const Thread& t : threads) {
    if (t.state != State::at_barrier) continue;
    for (const Thread& other : threads) {
      if (other.state != State::at_barrier) {
        return report(t, doing(t) + ", but " + name_of(other) + " " + doing(other));
      }
    }
  }
}

void start_block() {
  for (unsigned rank = 0; Thread& t : threads) {
    t = {};
    t.rank = rank;
    t.index = {rank % blockDim.x, rank / blockDim.x % blockDim.y, rank / blockDim.x / blockDim.y};
    ++rank;
  }
  std::fill(warps.begin(), warps.end(), Warp{});
  for (const SharedArray& array : arrays) std::memset(arena + array.offset, 0xff, array.bytes);
  at_barrier = exited = 0;
  block_epoch = ++epoch;
}

// Groups of `group` threads one after another, each until none of its threads can go on.
void run_block(std::vector<unsigned>& order, std::size_t group) {
  start_block();
  for (bool progress = true; progress && exited < threads.size();) {
    progress = false;
    for (std::size_t first = 0; first < order.size(); first += group) {
      for (bool again = true; again;) {
        again = false;
        if (schedule_kind == Kind::shuffled) shuffle(order);
        for (std::size_t i = first; i < std::min(first + group, order.size()); ++i) {
          Thread& t = threads[order[i]];
          if (t.state != State::ready) continue;
          resume(t);
          if (failed) return;
          again = progress = true;
        }
      }
    }
  }
  if (exited < threads.size()) diagnose();
}

void shuffle_warps(std::vector<unsigned>& order) {  // an incomplete last warp stays the last
  std::vector<unsigned> whole(order.size() / 32);
  std::iota(whole.begin(), whole.end(), 0u);
  shuffle(whole);
  for (std::size_t i = 0; i < whole.size() * 32; ++i) order[i] = whole[i / 32] * 32 + i % 32;
}

void run_grid() {
  random_bits.seed(schedule_seed);
  std::vector<unsigned> order(threads.size());
  std::iota(order.begin(), order.end(), 0u);
  if (schedule_kind == Kind::reverse) std::reverse(order.begin(), order.end());
  const auto blocks = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  std::vector<std::uint64_t> block_order(schedule_kind == Kind::in_order ? 0 : blocks);
  std::iota(block_order.begin(), block_order.end(), std::uint64_t{0});
  if (schedule_kind == Kind::reverse) std::reverse(block_order.begin(), block_order.end());
  if (schedule_kind == Kind::shuffled || schedule_seed != 0) shuffle(block_order);
  for (std::uint64_t i = 0; i < blocks && !failed; ++i) {
    const std::uint64_t block = block_order.empty() ? i : block_order[i];
    blockIdx = {static_cast<unsigned>(block % gridDim.x),
                static_cast<unsigned>(block / gridDim.x % gridDim.y),
                static_cast<unsigned>(block / gridDim.x / gridDim.y)};
    if (schedule_kind == Kind::warp_greedy && schedule_seed != 0) shuffle_warps(order);
    run_block(order, schedule_kind == Kind::warp_greedy ? 32 : order.size());
  }
}

SharedArray& allocate(const void* key, const char* name, std::size_t bytes) {
  const std::size_t offset = (arena_used + 15) / 16 * 16;
  ASAN_UNPOISON_MEMORY_REGION(arena + offset, bytes);
  std::memset(arena + offset, 0xff, bytes);
  arena_used = offset + bytes + kGap;
  return arrays.emplace_back(SharedArray{key, name, offset, bytes});
}

bool ordered(std::uint64_t then, unsigned other, std::uint64_t then_warp) {
  return then < epoch || other == self->rank ||
         (other / 32 == self->rank / 32 && then_warp < warps[other / 32].epoch);
}

[[noreturn]] void fail_access(std::size_t offset, std::size_t bytes, const char* what,
                              const Thread* other = nullptr) {
  const SharedArray* nearest = &arrays[0];
  for (const SharedArray& a : arrays) nearest = a.offset <= offset ? &a : nearest;
  const std::size_t index = (offset - nearest->offset) / bytes;
  const std::string after = self->site.line() ? " after " + where(self->site) : "";
  fail("shared %s[%zu]%s %s%s%s", nearest->name, index, after.c_str(), what, other ? " " : "",
       other ? name_of(*other).c_str() : "");
}

}  // namespace

void fail(const char* format, ...) {
  char text[384];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  report(*self, text);
  for (;;) self->fiber->leave();
}

unsigned lane() {
  return self->rank % 32;
}

const char* run(dim3 grid, dim3 block, std::size_t shared_bytes, void (*function)(void*), void* arguments) {
  const std::lock_guard lock(launching);
  if (!schedule_is_known)
    return "FASTDL_SIMT_SCHEDULE: expected in_order, reverse, shuffled:<seed> or warp_greedy";
  if (shared_bytes > kSharedBytes) return "more dynamic shared memory than 99 KiB";
  failed = false;
  kernel = function;
  context = arguments;
  gridDim = grid;
  blockDim = block;
  arrays.clear();
  arena_used = kGap;
  static_bytes = 0;
  ASAN_POISON_MEMORY_REGION(arena, sizeof arena);
  try {
    threads.resize(std::size_t{block.x} * block.y * block.z);
    warps.resize((threads.size() + 31) / 32);
    if (shared_bytes) allocate(nullptr, "dynamic_shared", shared_bytes);
    run_grid();
  } catch (const std::bad_alloc&) {
    std::snprintf(message, sizeof message, "no memory for the threads' stacks");
    failed = true;
  }
  for (Thread& t : threads) {
    if (!t.fiber) continue;
    t.fiber->reset();
    idle.push_back(std::exchange(t.fiber, nullptr));
  }
  return failed ? message : nullptr;
}

void barrier(const Site& site) {
  for (const Thread& t : threads) {
    if (t.state != State::at_barrier) continue;
    if (t.site.line() != site.line() || t.site.file_name() != site.file_name()) {
      fail("reaches the barrier %s, but %s %s", where(site).c_str(), name_of(t).c_str(), doing(t).c_str());
    }
    break;
  }
  self->site = site;
  if (++at_barrier < threads.size()) return wait(State::at_barrier);
  for (Thread& t : threads) t.state = State::ready;
  at_barrier = 0;
  ++epoch;
  wait(State::ready);
}

WarpResult warp_operation(const char* name, unsigned mask, std::uint64_t value, unsigned source,
                          const Site& site) {
  const unsigned lane = self->rank % 32, first = self->rank - lane;
  const auto lanes = std::min<std::size_t>(32, threads.size() - first);
  self->site = site;
  if (!(mask >> lane & 1))
    fail("%s at %s: mask %#x leaves out the calling lane %u", name, where(site).c_str(), mask, lane);
  if (lanes < 32 && mask >> lanes) {
    fail("%s at %s: mask %#x names lanes of a warp that has %zu", name, where(site).c_str(), mask, lanes);
  }
  self->operation = name;
  self->mask = mask;
  self->value = value;
  self->source = source;
  self->state = State::in_warp_operation;
  Warp& warp = warps[self->rank / 32];
  warp.waiting |= 1u << lane;
  bool complete = (warp.waiting & mask) == mask;
  unsigned ballot = 0;
  for (unsigned rest = mask; complete && rest; rest &= rest - 1) {
    const unsigned each = static_cast<unsigned>(std::countr_zero(rest));
    const Thread& t = threads[first + each];
    complete = t.mask == mask && std::strcmp(t.operation, name) == 0;
    ballot |= t.value ? 1u << each : 0u;
  }
  if (complete) {
    for (unsigned rest = mask; rest; rest &= rest - 1) {
      Thread& t = threads[first + static_cast<unsigned>(std::countr_zero(rest))];
      if (t.source > 31 || !(mask >> t.source & 1)) {
        report(t, std::string(name) + " at " + where(t.site) + " takes lane " + std::to_string(t.source) +
                      ", which its mask leaves out");
        break;
      }
      t.result = {threads[first + t.source].value, ballot};
      t.state = State::ready;
    }
    warp.waiting &= ~mask;
    warp.epoch += std::strcmp(name, "__syncwarp") == 0;
  }
  self->fiber->leave();
  return self->result;
}

void* static_shared(const void* key, const char* name, std::size_t bytes) {
  for (const SharedArray& array : arrays) {
    if (array.key == key) return arena + array.offset;
  }
  static_bytes += bytes;
  if (static_bytes > kStaticBytes) fail("more static shared memory than 48 KiB, with %s", name);
  const std::size_t dynamic_bytes = arrays.empty() || arrays[0].key ? 0 : arrays[0].bytes;
  if (static_bytes + dynamic_bytes > kSharedBytes) fail("more shared memory than 99 KiB, with %s", name);
  return arena + allocate(key, name, bytes).offset;
}

char* dynamic_shared() {
  if (arrays.empty() || arrays[0].key) fail("takes dynamic shared memory in a launch without any");
  return arena + arrays[0].offset;
}

void access(const void* address, std::size_t bytes, Access kind) {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(arena);
  if (offset >= kArenaBytes) return;  // a copy in the thread's own memory
  const auto inside = [&](const SharedArray& a) {
    return offset >= a.offset && offset + bytes <= a.offset + a.bytes;
  };
  if (std::none_of(arrays.begin(), arrays.end(), inside)) fail_access(offset, bytes, "is out of bounds");
  const unsigned me = self->rank;
  const std::uint64_t warp_epoch = warps[me / 32].epoch;
  for (std::size_t i = 0; i < bytes; i += bytes < 2 ? 1 : 2) {
    Shadow& s = shadow[offset + i];
    const bool written = s.write_epoch >= block_epoch;
    if (kind != Access::write && !written) fail_access(offset, bytes, "is read, but nobody wrote it");
    const bool both_atomic = kind == Access::atomic && s.atomic;
    if (written && !both_atomic && !ordered(s.write_epoch, s.writer, s.write_warp_epoch)) {
      fail_access(offset, bytes,
                  kind == Access::read ? "is read in a race with its writer,"
                                       : "is written in a race with its writer,",
                  &threads[s.writer]);
    }
    const bool readers = s.read_epoch == epoch;
    if (kind == Access::read) {
      s.many_warps_read = readers && (s.many_warps_read || s.reader / 32 != me / 32);
      s.many_lanes_read = readers && s.read_warp_epoch == warp_epoch && (s.many_lanes_read || s.reader != me);
      s.reader = static_cast<std::uint16_t>(me);
      s.read_epoch = epoch;
      s.read_warp_epoch = warp_epoch;
    } else {
      if (readers && (s.many_warps_read || !ordered(epoch, s.reader, s.read_warp_epoch) ||
                      (s.many_lanes_read && s.read_warp_epoch == warp_epoch))) {
        fail_access(offset, bytes, "is written in a race with a reader,", &threads[s.reader]);
      }
      s.write_epoch = epoch;
      s.write_warp_epoch = warp_epoch;
      s.writer = static_cast<std::uint16_t>(me);
      s.atomic = kind == Access::atomic;
    }
  }
}

}  // namespace simt

// The schedule of the launches to come; 0 if the kind is known.
extern "C" __attribute__((visibility("default"))) int simt_set_schedule(const char* kind,
                                                                        std::uint64_t seed) {
  const std::lock_guard lock(simt::launching);
  return simt::set_schedule(kind, seed) ? 0 : 1;
}
