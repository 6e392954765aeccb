#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace fastdl {

/// Uninitialised memory, aligned to 64 bytes; never nullptr, not even for 0 bytes. Throws OutOfMemory.
///
/// Memory comes from a process-wide heap that keeps what it once mapped, so a training step in steady state
/// neither maps memory nor takes page faults. Any thread may allocate and deallocate, with or without the
/// interpreter's lock. FASTDL_POISON_MEMORY=1 fills new and freed memory with 0xFF bytes (a NaN), and aborts
/// in deallocate() if somebody wrote past the end. Under AddressSanitizer every block is a malloc of its own.
void* allocate(std::size_t bytes);

/// Takes back what allocate() gave; nullptr is ignored. Aborts on a pointer that is not allocated.
void deallocate(void* memory) noexcept;

struct MemoryStats {
  std::int64_t allocated_bytes;       ///< asked for and not yet freed
  std::int64_t cached_bytes;          ///< idle, kept for later calls
  std::int64_t peak_allocated_bytes;  ///< most allocated_bytes since the start or reset_peak_memory_stats()
  std::int64_t allocations;           ///< calls of allocate()
  std::int64_t cache_hits;            ///< those of them that needed no memory from the system
  std::int64_t system_allocations;    ///< the others
};

MemoryStats memory_stats();

/// Sets the peak to what is allocated now.
void reset_peak_memory_stats();

/// Returns idle memory to the system.
void empty_cache();

/// Uninitialised scratch memory for the length of a scope, as allocate() gives it.
class Workspace {
 public:
  explicit Workspace(std::size_t bytes) : data_(allocate(bytes)) {}
  ~Workspace() { deallocate(data_); }
  Workspace(Workspace&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  Workspace& operator=(Workspace&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }

  void* data() const { return data_; }

 private:
  void* data_;
};

}  // namespace fastdl
