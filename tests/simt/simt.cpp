// Fibers, schedules, barriers and warp operations.
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

#include "state.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace simt {

Launch now;

namespace {

enum class Kind { in_order, reverse, shuffled, warp_greedy };
constexpr const char* kKinds[] = {"in_order", "reverse", "shuffled", "warp_greedy"};

std::mutex launching;
thread_local char message[512];
void (*kernel)(void*);
void* context;
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
  now.failed = true;
}

void report(const Thread& t, const std::string& text) {
  report(t, text.c_str());
}

void wait(State state) {
  now.self->state = state;
  now.self->fiber->leave();
}

void run_threads() {
  for (;;) {
    kernel(context);
    ++now.exited;
    wait(State::exited);
  }
}

void resume(Thread& t) {
  if (!t.fiber) {
    if (idle.empty()) idle.push_back(fibers.emplace_back(std::make_unique<Fiber>(&run_threads)).get());
    t.fiber = idle.back();
    idle.pop_back();
  }
  now.self = &t;
  threadIdx = t.index;
  t.fiber->enter();
  if (t.state == State::exited) idle.push_back(std::exchange(t.fiber, nullptr));
}

bool same_operation(const Thread& a, const Thread& b) {
  return a.mask == b.mask && std::strcmp(a.operation, b.operation) == 0;
}

// No thread can go on: says which wait cannot end, and why.
void diagnose() {
  for (const Thread& t : now.threads) {
    if (t.state != State::in_warp_operation) continue;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (!(t.mask >> lane & 1)) continue;
      const Thread& other = now.threads[t.rank / 32 * 32 + lane];
      if (other.state == State::in_warp_operation && same_operation(other, t)) continue;
      return report(
          t, doing(t) + ", but lane " + std::to_string(lane) + ", " + name_of(other) + ", " + doing(other));
    }
  }
  for (const Thread& t : now.threads) {
    if (t.state != State::at_barrier) continue;
    for (const Thread& other : now.threads) {
      if (other.state != State::at_barrier) {
        return report(t, doing(t) + ", but " + name_of(other) + " " + doing(other));
      }
    }
  }
}

void start_block() {
  for (unsigned rank = 0; Thread& t : now.threads) {
    t = {};
    t.rank = rank;
    t.index = {rank % blockDim.x, rank / blockDim.x % blockDim.y, rank / blockDim.x / blockDim.y};
    ++rank;
  }
  std::fill(now.warps.begin(), now.warps.end(), Warp{});
  poison_shared_memory();
  now.at_barrier = now.exited = 0;
  now.block_epoch = ++now.epoch;
}

// Groups of `group` threads one after another, each until none of its threads can go on.
void run_block(std::vector<unsigned>& order, std::size_t group) {
  start_block();
  for (bool progress = true; progress && now.exited < now.threads.size();) {
    progress = false;
    for (std::size_t first = 0; first < order.size(); first += group) {
      for (bool again = true; again;) {
        again = false;
        if (schedule_kind == Kind::shuffled) shuffle(order);
        for (std::size_t i = first; i < std::min(first + group, order.size()); ++i) {
          Thread& t = now.threads[order[i]];
          if (t.state != State::ready) continue;
          resume(t);
          if (now.failed) return;
          again = progress = true;
        }
      }
    }
  }
  if (now.exited < now.threads.size()) diagnose();
}

void shuffle_warps(std::vector<unsigned>& order) {  // an incomplete last warp stays the last
  std::vector<unsigned> whole(order.size() / 32);
  std::iota(whole.begin(), whole.end(), 0u);
  shuffle(whole);
  for (std::size_t i = 0; i < whole.size() * 32; ++i) order[i] = whole[i / 32] * 32 + i % 32;
}

void run_grid() {
  random_bits.seed(schedule_seed);
  std::vector<unsigned> order(now.threads.size());
  std::iota(order.begin(), order.end(), 0u);
  if (schedule_kind == Kind::reverse) std::reverse(order.begin(), order.end());
  const auto blocks = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  std::vector<std::uint64_t> block_order(schedule_kind == Kind::in_order ? 0 : blocks);
  std::iota(block_order.begin(), block_order.end(), std::uint64_t{0});
  if (schedule_kind == Kind::reverse) std::reverse(block_order.begin(), block_order.end());
  const bool shuffled_warps = schedule_kind == Kind::warp_greedy && schedule_seed != 0;
  if (schedule_kind == Kind::shuffled || shuffled_warps) shuffle(block_order);
  for (std::uint64_t i = 0; i < blocks && !now.failed; ++i) {
    const std::uint64_t block = block_order.empty() ? i : block_order[i];
    blockIdx = {static_cast<unsigned>(block % gridDim.x),
                static_cast<unsigned>(block / gridDim.x % gridDim.y),
                static_cast<unsigned>(block / gridDim.x / gridDim.y)};
    if (shuffled_warps) shuffle_warps(order);
    run_block(order, schedule_kind == Kind::warp_greedy ? 32 : order.size());
  }
}

}  // namespace

std::string where(const Site& site) {
  const std::string path = site.file_name();
  return path.substr(path.find_last_of('/') + 1) + ":" + std::to_string(site.line());
}

std::string name_of(const Thread& t) {
  return "thread (" + std::to_string(t.index.x) + ", " + std::to_string(t.index.y) + ", " +
         std::to_string(t.index.z) + ")";
}

void fail(const char* format, ...) {
  char text[384];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  report(*now.self, text);
  for (;;) now.self->fiber->leave();
}

unsigned lane() {
  return now.self->rank % 32;
}

const char* run(dim3 grid, dim3 block, std::size_t shared_bytes, void (*function)(void*), void* arguments) {
  const std::lock_guard lock(launching);
  if (!schedule_is_known) {
    return "FASTDL_SIMT_SCHEDULE: expected in_order, reverse, shuffled:<seed> or warp_greedy:<seed>";
  }
  if (shared_bytes > kSharedLimit) return "more dynamic shared memory than 99 KiB";
  now.failed = false;
  kernel = function;
  context = arguments;
  gridDim = grid;
  blockDim = block;
  begin_shared_memory(shared_bytes);
  try {
    now.threads.resize(std::size_t{block.x} * block.y * block.z);
    now.warps.resize((now.threads.size() + 31) / 32);
    run_grid();
  } catch (const std::bad_alloc&) {
    std::snprintf(message, sizeof message, "no memory for the threads' stacks");
    now.failed = true;
  }
  for (Thread& t : now.threads) {
    if (!t.fiber) continue;
    t.fiber->reset();
    idle.push_back(std::exchange(t.fiber, nullptr));
  }
  return now.failed ? message : nullptr;
}

void barrier(const Site& site) {
  if (now.at_barrier++ == 0) now.first_at_barrier = now.self;
  const Thread& first = *now.first_at_barrier;
  if (&first != now.self &&
      (first.site.line() != site.line() || std::strcmp(first.site.file_name(), site.file_name()) != 0)) {
    fail("reaches the barrier %s, but %s %s", where(site).c_str(), name_of(first).c_str(),
         doing(first).c_str());
  }
  now.self->site = site;
  if (now.at_barrier < now.threads.size()) return wait(State::at_barrier);
  for (Thread& t : now.threads) t.state = State::ready;
  now.at_barrier = 0;
  ++now.epoch;
  wait(State::ready);
}

WarpResult warp_operation(const char* name, unsigned mask, std::uint64_t value, unsigned source,
                          const Site& site) {
  const unsigned lane = now.self->rank % 32, first = now.self->rank - lane;
  const auto lanes = std::min<std::size_t>(32, now.threads.size() - first);
  now.self->site = site;
  if (!(mask >> lane & 1)) {
    fail("%s at %s: mask %#x leaves out the calling lane %u", name, where(site).c_str(), mask, lane);
  }
  if (lanes < 32 && mask >> lanes) {
    fail("%s at %s: mask %#x names lanes of a warp that has %zu", name, where(site).c_str(), mask, lanes);
  }
  now.self->operation = name;
  now.self->mask = mask;
  now.self->value = value;
  now.self->source = source;
  now.self->state = State::in_warp_operation;
  Warp& warp = now.warps[now.self->rank / 32];
  warp.waiting |= 1u << lane;
  bool complete = (warp.waiting & mask) == mask;
  unsigned ballot = 0;
  for (unsigned rest = mask; complete && rest; rest &= rest - 1) {
    const unsigned each = static_cast<unsigned>(std::countr_zero(rest));
    const Thread& t = now.threads[first + each];
    complete = same_operation(t, *now.self);
    ballot |= t.value ? 1u << each : 0u;
  }
  if (complete) {
    for (unsigned rest = mask; rest; rest &= rest - 1) {
      Thread& t = now.threads[first + static_cast<unsigned>(std::countr_zero(rest))];
      if (t.source > 31 || !(mask >> t.source & 1)) {
        report(t, std::string(name) + " at " + where(t.site) + " takes lane " + std::to_string(t.source) +
                      ", which its mask leaves out");
        break;
      }
      t.result = {now.threads[first + t.source].value, ballot};
      t.state = State::ready;
    }
    warp.waiting &= ~mask;
    warp.epoch += std::strcmp(name, "__syncwarp") == 0;
  }
  now.self->fiber->leave();
  return now.self->result;
}

}  // namespace simt

// The schedule of the launches to come; 0 if the kind is known.
extern "C" __attribute__((visibility("default"))) int simt_set_schedule(const char* kind,
                                                                        std::uint64_t seed) {
  const std::lock_guard lock(simt::launching);
  return simt::set_schedule(kind, seed) ? 0 : 1;
}
