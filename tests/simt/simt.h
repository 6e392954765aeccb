// CUDA's device model on the host, for tests. Names are CUDA's. One fiber per CUDA thread, one block after
// another; what a kernel does wrong with barriers, warps and shared memory becomes a launch error.
#pragma once

#include <math.h>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#define SIMT_VECTOR(T, name)                                        \
  struct alignas(2 * sizeof(T)) name##2 {                           \
    T x, y;                                                         \
  };                                                                \
  struct name##3 {                                                  \
    T x, y, z;                                                      \
  };                                                                \
  struct alignas(4 * sizeof(T) < 16 ? 4 * sizeof(T) : 16) name##4 { \
    T x, y, z, w;                                                   \
  };                                                                \
  inline name##2 make_##name##2(T x, T y) {                         \
    return {x, y};                                                  \
  }                                                                 \
  inline name##3 make_##name##3(T x, T y, T z) {                    \
    return {x, y, z};                                               \
  }                                                                 \
  inline name##4 make_##name##4(T x, T y, T z, T w) {               \
    return {x, y, z, w};                                            \
  }
SIMT_VECTOR(int, int)
SIMT_VECTOR(unsigned, uint)
SIMT_VECTOR(float, float)
SIMT_VECTOR(double, double)
#undef SIMT_VECTOR

struct dim3 {
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  unsigned x, y, z;
};

#define __restrict__ __restrict
#define __launch_bounds__(...)

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace simt {

using Site = std::source_location;

// Runs the kernel; null, or what went wrong, valid until this OS thread's next launch. Launches from
// several OS threads take turns.
const char* run(dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(void*), void* context);

void barrier(const Site& site);

struct WarpResult {
  std::uint64_t value;   // of the lane `source`
  std::uint32_t ballot;  // lanes whose value is not zero
};
WarpResult warp_operation(const char* name, unsigned mask, std::uint64_t value, unsigned source,
                          const Site& site);
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
unsigned lane();

void* static_shared(const void* key, const char* name, std::size_t bytes);
char* dynamic_shared();

enum class Access { read, write, atomic };
void access(const void* address, std::size_t bytes, Access kind);

// An element of shared memory, as large as its value. Every access is checked against the allocation, what
// has been written, and what other threads did since the last barrier. For a struct's member, copy it first.
template <class T>
class Cell {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Cell() = default;
  Cell(const Cell& other) : value_(other) {}
  operator T() const {
    access(this, sizeof(T), Access::read);
    return value_;
  }
  Cell& operator=(const Cell& other) { return *this = static_cast<T>(other); }
  Cell& operator=(const T& value) {
    access(this, sizeof(T), Access::write);
    value_ = value;
    return *this;
  }
  // clang-format off
#define SIMT_COMPOUND(op) \
  template <class U> Cell& operator op(const U& u) { T value = *this; value op u; return *this = value; }
  SIMT_COMPOUND(+=) SIMT_COMPOUND(-=) SIMT_COMPOUND(*=) SIMT_COMPOUND(/=) SIMT_COMPOUND(%=)
  SIMT_COMPOUND(&=) SIMT_COMPOUND(|=) SIMT_COMPOUND(^=) SIMT_COMPOUND(<<=) SIMT_COMPOUND(>>=)
#undef SIMT_COMPOUND
  Cell& operator++() { return *this += T{1}; }
  Cell& operator--() { return *this -= T{1}; }
  T operator++(int) { const T before = *this; *this = static_cast<T>(before + T{1}); return before; }
  T operator--(int) { const T before = *this; *this = static_cast<T>(before - T{1}); return before; }
  // clang-format on
  T& atomic() {
    access(this, sizeof(T), Access::atomic);
    return value_;
  }

 private:
  T value_;
};

template <class T>
T shuffle(const char* name, unsigned mask, T value, unsigned source, int width, const Site& site) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8,
                "a shuffle moves a number; copy an element of shared memory first");
  if (width < 1 || width > 32 || !std::has_single_bit(static_cast<unsigned>(width))) {
    fail("%s at %s:%u has width %d", name, site.file_name(), site.line(), width);
  }
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_operation(name, mask, bits, source, site).value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class T>
concept AtomicInteger =
    std::same_as<T, int> || std::same_as<T, unsigned> || std::same_as<T, unsigned long long>;

template <class T, class F>
T atomic(T* address, F update) {
  static_assert(!std::is_floating_point_v<T>, "no float atomics: the sum would depend on the order");
  static_assert(std::is_floating_point_v<T> || AtomicInteger<T>,
                "atomics take int, unsigned and unsigned long long");
  const T before = *address;
  *address = update(before);
  return before;
}
template <class T, class F>
T atomic(Cell<T>* cell, F update) {
  return atomic(&cell->atomic(), update);
}

}  // namespace simt

inline void __syncthreads(const simt::Site& site = simt::Site::current()) {
  simt::barrier(site);
}
inline void __syncwarp(unsigned mask = ~0u, const simt::Site& site = simt::Site::current()) {
  simt::warp_operation("__syncwarp", mask, 0, simt::lane(), site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, const simt::Site& site = simt::Site::current()) {
  return simt::warp_operation("__ballot_sync", mask, predicate != 0, simt::lane(), site).ballot;
}
inline int __any_sync(unsigned mask, int predicate, const simt::Site& site = simt::Site::current()) {
  return simt::warp_operation("__any_sync", mask, predicate != 0, simt::lane(), site).ballot != 0;
}
inline int __all_sync(unsigned mask, int predicate, const simt::Site& site = simt::Site::current()) {
  return simt::warp_operation("__all_sync", mask, predicate != 0, simt::lane(), site).ballot == mask;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              const simt::Site& site = simt::Site::current()) {
  const unsigned w = static_cast<unsigned>(width);
  const unsigned from = (simt::lane() & ~(w - 1)) | (static_cast<unsigned>(source) & (w - 1));
  return simt::shuffle("__shfl_sync", mask, value, from, width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 const simt::Site& site = simt::Site::current()) {
  const unsigned lane = simt::lane(), place = lane & (static_cast<unsigned>(width) - 1);
  return simt::shuffle("__shfl_up_sync", mask, value, delta <= place ? lane - delta : lane, width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   const simt::Site& site = simt::Site::current()) {
  const unsigned lane = simt::lane(), place = lane & (static_cast<unsigned>(width) - 1);
  const bool inside = delta < static_cast<unsigned>(width) - place;
  return simt::shuffle("__shfl_down_sync", mask, value, inside ? lane + delta : lane, width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  const simt::Site& site = simt::Site::current()) {
  const unsigned lane = simt::lane(), from = lane ^ static_cast<unsigned>(lane_mask);
  const bool inside = from <= (lane | (static_cast<unsigned>(width) - 1));
  return simt::shuffle("__shfl_xor_sync", mask, value, inside ? from : lane, width, site);
}
unsigned __activemask() = delete;  // what it returns is the scheduler's whim

#define SIMT_ATOMIC(name, updated)                                     \
  template <class T>                                                   \
  T name(T* address, std::type_identity_t<T> value) {                  \
    return simt::atomic(address, [=](T old) -> T { return updated; }); \
  }                                                                    \
  template <class T>                                                   \
  T name(simt::Cell<T>* cell, std::type_identity_t<T> value) {         \
    return simt::atomic(cell, [=](T old) -> T { return updated; });    \
  }
SIMT_ATOMIC(atomicAdd, old + value)
SIMT_ATOMIC(atomicSub, old - value)
SIMT_ATOMIC(atomicMax, old > value ? old : value)
SIMT_ATOMIC(atomicMin, old < value ? old : value)
SIMT_ATOMIC(atomicAnd, (old & value))
SIMT_ATOMIC(atomicOr, (old | value))
SIMT_ATOMIC(atomicXor, (old ^ value))
SIMT_ATOMIC(atomicExch, value)
#undef SIMT_ATOMIC
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return simt::atomic(address, [=](T old) { return old == expected ? value : old; });
}
template <class T>
T atomicCAS(simt::Cell<T>* cell, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return simt::atomic(cell, [=](T old) { return old == expected ? value : old; });
}

template <class T>
T __ldg(const T* address) {
  return *address;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return x ? std::countr_zero(static_cast<unsigned>(x)) + 1 : 0;
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}

using std::max;
using std::min;
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 42)
inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
inline double rsqrt(double x) {
  return 1.0 / sqrt(x);
}
#endif
