// Checks the operations of core/simd.h against scalar code, lane by lane. Prints each failure; exits with 1
// if there is one, with 77 where the CPU lacks the level.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

#include "core/simd.h"
#include "cpu_check.h"

namespace fastdl::FASTDL_ISA {
namespace {

int failures = 0;

void expect(bool condition, const char* what, int detail) {
  if (condition) return;
  ++failures;
  std::printf("%s: wrong at %d\n", what, detail);
}

template <class T>
bool same(T a, T b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

template <class T>
struct Samples {
  static constexpr T infinity = std::numeric_limits<T>::infinity();
  static constexpr T nan = std::numeric_limits<T>::quiet_NaN();
  static constexpr T values[] = {
      0,        T(-0.0), 1,    -1,   T(0.5), T(-0.5),    T(1.5),
      T(2.5),   T(-2.5), nan,  T(3), T(-7),  infinity,   -infinity,
      T(1e-30), T(1e30), T(9), T(4), T(0.1), T(-123.75), std::numeric_limits<T>::denorm_min()};
  static constexpr int count = sizeof values / sizeof values[0];
  static T at(int i) { return values[i % count]; }
};

template <class T>
void check_memory() {
  using S = Samples<T>;
  constexpr int n = lanes<T>;
  constexpr T canary = T(-77);
  alignas(64) T source[3 * n + 1];
  alignas(64) T target[3 * n + 1];
  for (int i = 0; i <= 3 * n; ++i) source[i] = S::at(i);
  for (int shift = 0; shift <= n; ++shift) {
    const Vec<T> v = load(source + shift);
    for (int i = 0; i < n; ++i) expect(same<T>(v[i], source[shift + i]), "load", i);
    for (int count = 0; count <= n; ++count) {
      const Vec<T> partial = load_partial(source + shift, count, T(42));
      for (int i = 0; i < n; ++i)
        expect(same<T>(partial[i], i < count ? source[shift + i] : T(42)), "load_partial", i);
      std::fill(target, target + 3 * n + 1, canary);
      store_partial(target + shift, v, count);
      for (int i = 0; i <= 3 * n; ++i) {
        const bool written = i >= shift && i < shift + count;
        expect(same<T>(target[i], written ? source[i] : canary), "store_partial", i);
      }
    }
    std::fill(target, target + 3 * n + 1, canary);
    store(target + shift, v);
    for (int i = 0; i <= 3 * n; ++i) {
      expect(same<T>(target[i], i >= shift && i < shift + n ? source[i] : canary), "store", i);
    }
  }
}

template <class T>
void check_lanes() {
  using S = Samples<T>;
  for (int x = 0; x < S::count; ++x) {
    for (int y = 0; y < S::count; ++y) {
      const T a = S::at(x), b = S::at(y);
      const Vec<T> va = broadcast(a), vb = broadcast(b);
      const Vec<T> larger = max(va, vb), smaller = min(va, vb);
      const Vec<T> larger_nan = max_nan(va, vb), smaller_nan = min_nan(va, vb);
      const Vec<T> chosen = select(va < vb, va, vb), signed_a = copysign(va, vb);
      const bool nan = std::isnan(a) || std::isnan(b);
      for (int i = 0; i < lanes<T>; ++i) {
        expect(same<T>(larger[i], a > b ? a : b), "max", x * 100 + y);
        expect(same<T>(smaller[i], a < b ? a : b), "min", x * 100 + y);
        expect(nan ? std::isnan(larger_nan[i]) : larger_nan[i] == std::max(a, b), "max_nan", x * 100 + y);
        expect(nan ? std::isnan(smaller_nan[i]) : smaller_nan[i] == std::min(a, b), "min_nan", x * 100 + y);
        expect(same<T>(chosen[i], a < b ? a : b), "select", x * 100 + y);
        expect(same<T>(signed_a[i], std::copysign(a, b)), "copysign", x * 100 + y);
      }
      expect(any(va < vb) == (a < b), "any", x * 100 + y);
    }
  }
  for (int x = 0; x < S::count; ++x) {
    const T a = S::at(x);
    const Vec<T> v = broadcast(a);
    const Vec<T> magnitude = abs(v), root = sqrt(v), below = floor(v), nearest = round(v);
    const IntVec<T> nan = isnan(v);
    const bool small = std::fabs(a) < 1000;
    const IntVec<T> integer = to_int(small ? v : Vec<T>{});
    const Vec<T> back = to_float(integer);
    for (int i = 0; i < lanes<T>; ++i) {
      expect(same<T>(magnitude[i], std::fabs(a)), "abs", x);
      expect(same<T>(root[i], std::sqrt(a)), "sqrt", x);
      expect(same<T>(below[i], std::floor(a)), "floor", x);
      expect(same<T>(nearest[i], std::nearbyint(a)), "round", x);
      expect((nan[i] != 0) == std::isnan(a), "isnan", x);
      expect(integer[i] == (small ? static_cast<int>(a) : 0), "to_int", x);
      expect(back[i] == (small ? std::trunc(a) : 0), "to_float", x);
    }
  }
}

template <class T>
void check_across() {
  constexpr int n = lanes<T>;
  for (int special = 0; special < n; ++special) {
    T values[n];
    for (int i = 0; i < n; ++i) values[i] = static_cast<T>((i * 7) % 5 - 2);
    values[special] = T(100);
    T sum = 0;
    for (T value : values) sum += value;
    expect(reduce_add(load(values)) == sum, "reduce_add", special);  // exact: small integers
    expect(reduce_max(load(values)) == T(100), "reduce_max", special);
    expect(any(load(values) > broadcast(T(99))), "any", special);
    expect(!any(load(values) > broadcast(T(100))), "any", special);
    values[special] = T(-100);
    expect(reduce_min(load(values)) == T(-100), "reduce_min", special);
    values[special] = std::numeric_limits<T>::quiet_NaN();
    expect(std::isnan(reduce_max_nan(load(values))), "reduce_max_nan", special);
    expect(lane_index<T>()[special] == special, "lane_index", special);
    for (int i = 0; i < n; ++i) expect((first_lanes<T>(special)[i] != 0) == (i < special), "first_lanes", i);
  }
  Vec<T> rows[n], sums[n];
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) rows[i][j] = sums[i][j] = T(1) / T(1 + i * n + j);
  const Vec<T> each = reduce_add_each(sums);
  for (int i = 0; i < n; ++i) expect(each[i] == reduce_add(rows[i]), "reduce_add_each", i);
  transpose(rows);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) expect(rows[j][i] == T(1) / T(1 + i * n + j), "transpose", i * n + j);
  const T exact = 1 + std::numeric_limits<T>::epsilon();
  const Vec<T> product = fma(broadcast(exact), broadcast(exact), broadcast(T(-1) - 2 * (exact - 1)));
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  expect(product[0] == (exact - 1) * (exact - 1), "fma", 0);
#else
  expect(product[0] == 0, "fma", 0);
#endif
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA

int main() {
  using namespace fastdl::FASTDL_ISA;
  if (!cpu_runs_this_level()) return 77;
  check_memory<float>();
  check_memory<double>();
  check_lanes<float>();
  check_lanes<double>();
  check_across<float>();
  check_across<double>();
  return failures == 0 ? 0 : 1;
}
