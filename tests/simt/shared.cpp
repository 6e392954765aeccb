// Shared memory: where its arrays lie, and who has read and written each element.
#include <algorithm>
#include <cstring>

#include "state.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) static_cast<void>(address)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) static_cast<void>(address)
#endif

namespace simt {
namespace {

struct Array {
  const void* key;  // null: the dynamic shared memory
  const char* name;
  std::size_t offset, bytes;
};

// The last write and the last read of one byte. Epochs never repeat, so that an earlier block's entries are
// stale without being cleared.
struct Shadow {
  std::uint64_t write_epoch, write_warp_epoch;
  std::uint64_t read_epoch, read_warp_epoch;
  std::uint16_t writer, reader;
  bool atomic;                            // the write
  bool many_lanes_read, many_warps_read;  // since the last __syncwarp, since the last barrier
};

constexpr std::size_t kStaticLimit = 48 * 1024;
constexpr std::size_t kGap = 64;  // bytes before and after an array that belong to none
constexpr std::size_t kArenaBytes = 2 * kSharedLimit;

alignas(128) char arena[kArenaBytes];
Shadow shadow[kArenaBytes];
std::vector<Array> arrays;
std::size_t arena_used, static_bytes, dynamic_bytes;

char* allocate(const void* key, const char* name, std::size_t bytes) {
  if (static_bytes > kStaticLimit) fail("static shared memory beyond 48 KiB, with %s", name);
  if (static_bytes + dynamic_bytes > kSharedLimit) fail("shared memory beyond 99 KiB, with %s", name);
  const std::size_t offset = (arena_used + 15) / 16 * 16;
  ASAN_UNPOISON_MEMORY_REGION(arena + offset, bytes);
  std::memset(arena + offset, 0xff, bytes);
  arena_used = offset + bytes + kGap;
  arrays.push_back({key, name, offset, bytes});
  return arena + offset;
}

char* find(const void* key) {
  for (const Array& array : arrays) {
    if (array.key == key) return arena + array.offset;
  }
  return nullptr;
}

[[noreturn]] void fail_access(std::size_t offset, std::size_t bytes, const char* what,
                              const std::string& other = "") {
  const Array* nearest = &arrays[0];
  for (const Array& a : arrays) nearest = a.offset <= offset ? &a : nearest;
  const auto distance = static_cast<std::ptrdiff_t>(offset) - static_cast<std::ptrdiff_t>(nearest->offset);
  const std::string after = now.self->site.line() ? " after " + where(now.self->site) : "";
  fail("shared %s[%td]%s %s%s", nearest->name, distance / static_cast<std::ptrdiff_t>(bytes), after.c_str(),
       what, other.c_str());
}

// Whether the running thread's present comes after what thread `other` did then.
bool ordered(std::uint64_t epoch, unsigned other, std::uint64_t warp_epoch) {
  return epoch < now.epoch || other == now.self->rank ||
         (other / 32 == now.self->rank / 32 && warp_epoch < now.warps[other / 32].epoch);
}

}  // namespace

void begin_shared_memory(std::size_t bytes) {
  arrays.clear();
  arena_used = kGap;
  static_bytes = 0;
  dynamic_bytes = bytes;
  ASAN_POISON_MEMORY_REGION(arena, sizeof arena);
}

void poison_shared_memory() {
  for (const Array& array : arrays) std::memset(arena + array.offset, 0xff, array.bytes);
}

void* static_shared(const void* key, const char* name, std::size_t bytes) {
  if (char* found = find(key)) return found;
  static_bytes += bytes;
  return allocate(key, name, bytes);
}

char* dynamic_shared() {
  if (dynamic_bytes == 0) fail("takes dynamic shared memory in a launch without any");
  char* found = find(nullptr);
  return found ? found : allocate(nullptr, "dynamic_shared", dynamic_bytes);
}

void access(const void* address, std::size_t bytes, Access kind) {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(arena);
  if (offset >= kArenaBytes) return;  // a copy in the thread's own memory
  const auto holds = [&](const Array& a) {
    return offset >= a.offset && offset + bytes <= a.offset + a.bytes;
  };
  if (std::none_of(arrays.begin(), arrays.end(), holds)) fail_access(offset, bytes, "is out of bounds");
  const unsigned me = now.self->rank;
  const std::uint64_t warp_epoch = now.warps[me / 32].epoch;
  for (std::size_t i = 0; i < bytes; i += bytes < 2 ? 1 : 2) {
    Shadow& s = shadow[offset + i];
    const bool written = s.write_epoch >= now.block_epoch, read = s.read_epoch == now.epoch;
    if (kind != Access::write && !written)
      fail_access(offset, bytes, "is read, but nobody has written it yet");
    if (written && !(kind == Access::atomic && s.atomic) &&
        !ordered(s.write_epoch, s.writer, s.write_warp_epoch)) {
      fail_access(offset, bytes,
                  kind == Access::read ? "is read in a race with its writer, "
                                       : "is written in a race with its writer, ",
                  name_of(now.threads[s.writer]));
    }
    if (kind == Access::read) {
      s.many_warps_read = read && (s.many_warps_read || s.reader / 32 != me / 32);
      s.many_lanes_read = read && s.read_warp_epoch == warp_epoch && (s.many_lanes_read || s.reader != me);
      s.read_epoch = now.epoch;
      s.read_warp_epoch = warp_epoch;
      s.reader = static_cast<std::uint16_t>(me);
    } else {
      if (read && (s.many_warps_read || !ordered(s.read_epoch, s.reader, s.read_warp_epoch) ||
                   (s.many_lanes_read && s.read_warp_epoch == warp_epoch))) {
        fail_access(offset, bytes, "is written in a race with a reader, ", name_of(now.threads[s.reader]));
      }
      s.write_epoch = now.epoch;
      s.write_warp_epoch = warp_epoch;
      s.writer = static_cast<std::uint16_t>(me);
      s.atomic = kind == Access::atomic;
    }
  }
}

}  // namespace simt
