#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fastdl {

/// Stands before the memory it describes. Blocks of one region follow each other without gaps.
struct alignas(64) Block {
  static constexpr std::uint32_t live = 0xfa57d1a1, idle = 0xfa57d1f0;

  std::size_t size = 0;       ///< bytes of memory after this header, a multiple of 64
  std::size_t requested = 0;  ///< bytes its user asked for, 0 while idle
  Block* previous = nullptr;  ///< the block before it in its region
  Block* next_idle = nullptr;
  Block* previous_idle = nullptr;
  std::uint32_t mark = 0;   ///< live or idle; anything else means that somebody wrote over this header
  bool huge_pages = false;  ///< which of the allocator's heaps it belongs to
  bool returned = false;    ///< idle, and its pages given back to the system

  void* memory() { return this + 1; }
  Block* next() { return reinterpret_cast<Block*>(static_cast<char*>(memory()) + size); }
  static Block* of(void* memory) { return static_cast<Block*>(memory) - 1; }
};
static_assert(sizeof(Block) == 64);

/// Segregated-fit heap over regions mapped from the system: 16 size classes per power of two (a block is at
/// most 1/16 larger than what was asked for, and header), splitting, and merging with both neighbours, so
/// that a step with many different sizes reuses the same pages. After "TLSF: a new dynamic memory allocator
/// for real-time systems" (Masmano, Ripoll, Crespo and Real, ECRTS 2004). Not thread-safe.
class Heap {
 public:
  /// Regions are at least `region_bytes` large. An idle rest smaller than `smallest_rest` bytes stays with
  /// the block in front of it.
  constexpr Heap(std::size_t region_bytes, std::size_t smallest_rest, bool huge_pages)
      : region_bytes_(region_bytes), smallest_rest_(smallest_rest), huge_pages_(huge_pages) {}

  /// A block of at least `bytes` from what is mapped, or nullptr.
  Block* take(std::size_t bytes);

  /// Maps a region in which take(bytes) succeeds. False if the system has no memory.
  bool grow(std::size_t bytes);

  void give(Block* block);

  /// Returns idle memory to the system, but for the edges of pages that blocks in use share.
  void trim();

  /// Bytes of idle memory, headers included, that trim() would return.
  std::size_t cached_bytes() const { return cached_bytes_; }

 private:
  // A class is found from the five leading bits of the size, counted in units of 64 bytes.
  static constexpr std::size_t unit = 64, classes = 16 * 55;

  static std::size_t class_of(std::size_t units);
  static std::size_t rounded_up(std::size_t units);
  std::size_t first_class_from(std::size_t size_class) const;
  void insert(Block* block);
  void remove(Block* block);

  std::size_t region_bytes_, smallest_rest_;
  bool huge_pages_;
  std::size_t mapped_bytes_ = 0, cached_bytes_ = 0;
  std::array<Block*, classes> idle_{};
  std::array<std::uint64_t, (classes + 63) / 64> occupied_{};
};

}  // namespace fastdl
