#include "core/heap.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

namespace fastdl {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

void* map_pages(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

/// `bytes`, a multiple of 2 MiB, at a multiple of 2 MiB: the kernel backs only whole, aligned huge pages.
void* map_huge_pages(std::size_t bytes) {
  char* const memory = static_cast<char*>(map_pages(bytes + huge_page));
  if (memory == nullptr) return nullptr;
  const std::size_t head = -reinterpret_cast<std::uintptr_t>(memory) % huge_page;
  if (head != 0) munmap(memory, head);
  munmap(memory + head + bytes, huge_page - head);
#if defined(MADV_HUGEPAGE)
  madvise(memory + head, bytes, MADV_HUGEPAGE);
#endif
  return memory + head;
}

/// Gives the whole pages between two addresses back; they read as zero when touched again.
void return_pages([[maybe_unused]] void* first, [[maybe_unused]] void* last) {
#if defined(__linux__)
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = round_up(reinterpret_cast<std::uintptr_t>(first), page);
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(last) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
#endif
}

}  // namespace

std::size_t Heap::class_of(std::size_t units) {
  if (units < 16) return units;
  const auto shift = static_cast<std::size_t>(std::bit_width(units)) - 5;
  return 16 * shift + (units >> shift);
}

/// The smallest size of the first class whose every block holds `units`.
std::size_t Heap::rounded_up(std::size_t units) {
  if (units < 32) return units;
  return round_up(units, std::size_t{1} << (std::bit_width(units) - 5));
}

std::size_t Heap::first_class_from(std::size_t size_class) const {
  std::size_t word = size_class / 64;
  std::uint64_t bits = occupied_[word] & (~std::uint64_t{0} << size_class % 64);
  while (bits == 0) {
    if (++word == occupied_.size()) return classes;
    bits = occupied_[word];
  }
  return 64 * word + static_cast<std::size_t>(std::countr_zero(bits));
}

void Heap::insert(Block* block) {
  const std::size_t size_class = class_of(block->size / unit);
  Block* const head = idle_[size_class];
  block->mark = Block::idle;
  block->requested = 0;
  block->previous_idle = nullptr;
  block->next_idle = head;
  if (head != nullptr) head->previous_idle = block;
  idle_[size_class] = block;
  occupied_[size_class / 64] |= std::uint64_t{1} << size_class % 64;
  if (!block->returned) cached_bytes_ += sizeof(Block) + block->size;
}

void Heap::remove(Block* block) {
  const std::size_t size_class = class_of(block->size / unit);
  if (block->next_idle != nullptr) block->next_idle->previous_idle = block->previous_idle;
  if (block->previous_idle != nullptr) {
    block->previous_idle->next_idle = block->next_idle;
  } else {
    idle_[size_class] = block->next_idle;
    if (block->next_idle == nullptr) occupied_[size_class / 64] &= ~(std::uint64_t{1} << size_class % 64);
  }
  if (!block->returned) cached_bytes_ -= sizeof(Block) + block->size;
}

Block* Heap::take(std::size_t bytes) {
  const std::size_t units = rounded_up(round_up(bytes, unit) / unit);
  const std::size_t size_class = first_class_from(class_of(units));
  if (size_class == classes) return nullptr;
  Block* const block = idle_[size_class];
  remove(block);
  block->mark = Block::live;
  const std::size_t size = units * unit;
  if (block->size - size >= sizeof(Block) + smallest_rest_) {
    Block* const after = block->next();
    const std::size_t rest = block->size - size - sizeof(Block);
    block->size = size;
    Block* const second = block->next();
    *second = {.size = rest, .previous = block, .huge_pages = huge_pages_, .returned = block->returned};
    after->previous = second;
    insert(second);
  }
  block->returned = false;
  return block;
}

bool Heap::grow(std::size_t bytes) {
  // The last header of a region ends it: live, and of size 0.
  const std::size_t needed = unit * rounded_up(round_up(bytes, unit) / unit) + 2 * sizeof(Block);
  const std::size_t wished =
      std::max({needed, region_bytes_, std::min(mapped_bytes_ / 8, 16 * region_bytes_)});
  for (const std::size_t wish : {wished, needed}) {
    const std::size_t size = round_up(wish, huge_pages_ ? huge_page : region_bytes_);
    void* const memory = huge_pages_ ? map_huge_pages(size) : map_pages(size);
    if (memory == nullptr) continue;
    mapped_bytes_ += size;
    auto* const block = static_cast<Block*>(memory);
    *block = {.size = size - 2 * sizeof(Block), .huge_pages = huge_pages_};
    *block->next() = {.previous = block, .mark = Block::live, .huge_pages = huge_pages_};
    insert(block);
    return true;
  }
  return false;
}

void Heap::give(Block* block) {
  Block* const after = block->next();
  if (after->mark == Block::idle) {
    remove(after);
    block->size += sizeof(Block) + after->size;
    after->mark = 0;
  }
  Block* const before = block->previous;
  if (before != nullptr && before->mark == Block::idle) {
    remove(before);
    before->size += sizeof(Block) + block->size;
    block->mark = 0;
    block = before;
  }
  block->returned = false;
  block->next()->previous = block;
  insert(block);
}

void Heap::trim() {
  for (std::size_t size_class = 0; size_class < classes; ++size_class) {
    for (Block *block = idle_[size_class], *following; block != nullptr; block = following) {
      following = block->next_idle;
      const bool whole_region = block->previous == nullptr && block->next()->size == 0;
      if (block->returned && !whole_region) continue;
      remove(block);
      if (whole_region) {
        const std::size_t size = block->size + 2 * sizeof(Block);
        mapped_bytes_ -= size;
        munmap(block, size);
      } else {
        return_pages(block->memory(), block->next());
        block->returned = true;
        insert(block);
      }
    }
  }
}

}  // namespace fastdl
