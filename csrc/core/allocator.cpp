#include "core/allocator.h"

#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <string>

#include "core/error.h"
#include "core/heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define FASTDL_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FASTDL_ADDRESS_SANITIZER
#endif
#endif

#if defined(FASTDL_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace fastdl {
namespace {

constexpr std::size_t KiB = 1024, MiB = 1024 * KiB;

/// Small blocks, which often live long, are kept apart so that they do not keep large ones from merging.
constexpr std::size_t largest_small_block = 16 * KiB;

struct Allocator {
  std::mutex mutex;
  Heap small{256 * KiB, 64, false};
  Heap large{8 * MiB, largest_small_block, true};
  MemoryStats stats{};
};

/// Never destroyed: arrays are freed while the process exits.
Allocator& allocator = *new Allocator;

[[maybe_unused]] const int fork_handlers = pthread_atfork(
    [] { allocator.mutex.lock(); }, [] { allocator.mutex.unlock(); }, [] { allocator.mutex.unlock(); });

const bool poison = [] {
  const char* value = std::getenv("FASTDL_POISON_MEMORY");
  return value != nullptr && std::strcmp(value, "1") == 0;
}();

constexpr int poison_byte = 0xFF;
constexpr unsigned char canary_byte = 0xC5;

[[noreturn]] void die(const char* what, const void* memory) {
  std::fprintf(stderr, "fastdl: deallocate(%p): %s\n", memory, what);
  std::abort();
}

[[noreturn]] void throw_out_of_memory(std::size_t bytes) {
  throw OutOfMemory("out of memory: could not allocate " + std::to_string(bytes) + " bytes");
}

void check_mark(const Block* block, const void* memory) {
  if (block->mark == Block::idle) die("this memory is already free", memory);
  if (block->mark != Block::live) die("not from allocate(), or somebody wrote in front of it", memory);
}

#if defined(FASTDL_ADDRESS_SANITIZER)

constexpr std::size_t canary_bytes = 0;

/// Exact sizes, so that the sanitizer sees the first byte of an overrun; the header is forbidden ground as
/// well.
Block* take(std::size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, alignof(Block), sizeof(Block) + bytes) != 0) return nullptr;
  auto* const block = static_cast<Block*>(memory);
  *block = {.size = bytes, .mark = Block::live};
  ++allocator.stats.system_allocations;
  return block;
}

void give(Block* block) {
  block->mark = Block::idle;
  std::free(block);
}

void trim() {}
std::size_t cached_bytes() {
  return 0;
}
void lock_header(Block* block) {
  ASAN_POISON_MEMORY_REGION(block, sizeof *block);
}
void unlock_header(Block* block) {
  ASAN_UNPOISON_MEMORY_REGION(block, sizeof *block);
}

#else

const std::size_t canary_bytes = poison ? 64 : 0;

void trim() {
  allocator.small.trim();
  allocator.large.trim();
}

std::size_t cached_bytes() {
  return allocator.small.cached_bytes() + allocator.large.cached_bytes();
}

Block* take(std::size_t bytes) {
  Heap& heap = bytes <= largest_small_block ? allocator.small : allocator.large;
  Block* block = heap.take(bytes);
  if (block != nullptr) {
    ++allocator.stats.cache_hits;
    return block;
  }
  if (!heap.grow(bytes)) {
    trim();
    if (!heap.grow(bytes)) return nullptr;
  }
  ++allocator.stats.system_allocations;
  return heap.take(bytes);
}

void give(Block* block) {
  (block->huge_pages ? allocator.large : allocator.small).give(block);
}
void lock_header(Block*) {}
void unlock_header(Block*) {}

#endif

/// Fills a new block, and marks what lies between the bytes asked for and the block's end.
void fill(Block* block) {
  auto* const memory = static_cast<unsigned char*>(block->memory());
  std::memset(memory, poison_byte, block->requested);
  std::memset(memory + block->requested, canary_byte, block->size - block->requested);
}

void check_and_fill(Block* block) {
  auto* const memory = static_cast<unsigned char*>(block->memory());
  for (std::size_t i = block->requested; i < block->size; ++i) {
    if (memory[i] == canary_byte) continue;
    std::fprintf(stderr, "fastdl: byte %zu of a block of %zu bytes was written\n", i, block->requested);
    die("somebody wrote past the end", memory);
  }
  std::memset(memory, poison_byte, block->requested);
}

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()))
    throw_out_of_memory(bytes);
  Block* block;
  {
    const std::lock_guard lock(allocator.mutex);
    block = take(std::max<std::size_t>(bytes, 1) + canary_bytes);
    if (block == nullptr) throw_out_of_memory(bytes);
    MemoryStats& stats = allocator.stats;
    ++stats.allocations;
    stats.allocated_bytes += static_cast<std::int64_t>(bytes);
    stats.peak_allocated_bytes = std::max(stats.peak_allocated_bytes, stats.allocated_bytes);
  }
  block->requested = bytes;
  if (poison) fill(block);
  void* const memory = block->memory();
  lock_header(block);
  return memory;
}

void deallocate(void* memory) noexcept {
  if (memory == nullptr) return;
  Block* const block = Block::of(memory);
  unlock_header(block);
  check_mark(block, memory);
  if (poison) check_and_fill(block);
  const std::lock_guard lock(allocator.mutex);
  allocator.stats.allocated_bytes -= static_cast<std::int64_t>(block->requested);
  give(block);
}

MemoryStats memory_stats() {
  const std::lock_guard lock(allocator.mutex);
  MemoryStats stats = allocator.stats;
  stats.cached_bytes = static_cast<std::int64_t>(cached_bytes());
  return stats;
}

void reset_peak_memory_stats() {
  const std::lock_guard lock(allocator.mutex);
  allocator.stats.peak_allocated_bytes = allocator.stats.allocated_bytes;
}

void empty_cache() {
  const std::lock_guard lock(allocator.mutex);
  trim();
}

}  // namespace fastdl
