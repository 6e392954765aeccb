// Measures the functions of core/simd_math.h in units in the last place (ULP) against the C library in the
// next wider type, and checks that a lane's result depends on that lane alone.
//
//   simd_sweep STRIDE [FUNCTION]
//
// STRIDE: try every STRIDE-th float (1: all 2^32) and 10^8 / STRIDE doubles, beside the neighbourhoods of
// special points. Prints one line per function: type, name, maximum error in ULP, the input that has it, and
// how many results are wrong in kind (NaN, infinity, sign of zero) or depend on their neighbours. Exits with
// 77 where the CPU lacks the level.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "core/simd_math.h"
#include "cpu_check.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
struct Wider;
template <>
struct Wider<float> {
  using type = double;
  using Bits = std::uint32_t;
};
template <>
struct Wider<double> {
  using type = long double;
  using Bits = std::uint64_t;
};

template <class T>
T from_bits(typename Wider<T>::Bits bits) {
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <class T>
typename Wider<T>::Bits to_bits(T x) {
  typename Wider<T>::Bits bits;
  std::memcpy(&bits, &x, sizeof x);
  return bits;
}

// |y - reference| in units of the spacing of T at the reference, or 0 where y is the reference rounded (at
// most half a unit off); infinity where they differ in kind.
template <class T>
double ulp_error(T y, typename Wider<T>::type reference) {
  using Wide = typename Wider<T>::type;
  using Limits = std::numeric_limits<T>;
  constexpr double wrong = std::numeric_limits<double>::infinity();
  const T nearest = static_cast<T>(reference);
  if (y == nearest && std::signbit(y) == std::signbit(nearest)) return 0;
  if (std::isnan(reference) || std::isnan(y)) return std::isnan(reference) && std::isnan(y) ? 0 : wrong;
  if (std::isinf(reference)) return wrong;
  if (reference == 0) return wrong;
  const Wide beyond = std::ldexp(Wide(1), Limits::max_exponent);  // stands for a result that overflowed
  const Wide limited = std::clamp(reference, -beyond, beyond);
  const Wide value = std::isinf(y) ? std::copysign(beyond, Wide(y)) : Wide(y);
  const int exponent = std::max(std::ilogb(limited), Limits::min_exponent - 1);
  return static_cast<double>(std::fabs(std::ldexp(value - limited, Limits::digits - 1 - exponent)));
}

template <class T>
struct Function {
  const char* name;
  void (*run)(const T* x, T* y, int n);
  typename Wider<T>::type (*reference)(typename Wider<T>::type x);
};

template <class T, class F>
void map(const T* x, T* y, int n, F f) {
  for (int i = 0; i < n; i += lanes<T>) {
    const int count = std::min(n - i, lanes<T>);
    store_partial(y + i, f(load_partial(x + i, count)), count);
  }
}

template <class T>
std::vector<Function<T>> functions() {
  using W = typename Wider<T>::type;
  return {
      {"exp", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return exp(v); }); },
       [](W x) { return std::exp(x); }},
      {"expm1", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return expm1(v); }); },
       [](W x) { return std::expm1(x); }},
      {"log", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return log(v); }); },
       [](W x) { return std::log(x); }},
      {"log1p", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return log1p(v); }); },
       [](W x) { return std::log1p(x); }},
      {"tanh", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return tanh(v); }); },
       [](W x) { return std::tanh(x); }},
      {"sigmoid", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return sigmoid(v); }); },
       [](W x) {
         const W e = std::exp(-std::fabs(x));
         return (x < 0 ? e : W(1)) / (1 + e);
       }},
      {"softplus", [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return softplus(v); }); },
       [](W x) {
         const W tail = std::log1p(std::exp(-std::fabs(x)));
         return x > 0 ? x + tail : tail;
       }},
      {"log1p_exp_neg_abs",
       [](const T* x, T* y, int n) { map(x, y, n, [](Vec<T> v) { return log1p_exp_neg_abs(v); }); },
       [](W x) { return std::log1p(std::exp(-std::fabs(x))); }},
  };
}

template <class T>
struct Result {
  double max_ulp = 0;
  T worst = 0;
  std::int64_t wrong = 0;

  void add(T x, double ulp) {
    if (std::isinf(ulp)) {
      if (wrong++ == 0) worst = x;
    } else if (ulp > max_ulp) {
      max_ulp = ulp;
      if (wrong == 0) worst = x;
    }
  }
  void add(const Result& other) {
    if (other.max_ulp > max_ulp || (other.wrong > 0 && wrong == 0)) worst = other.worst;
    max_ulp = std::max(max_ulp, other.max_ulp);
    wrong += other.wrong;
  }
};

constexpr int block =
    960;  // a multiple of no lane count but of 64: with the odd tail below it exercises both

template <class T>
void check_block(const Function<T>& f, const T* x, int n, Result<T>& result) {
  T y[block];
  f.run(x, y, n);
  // The same values at other positions, among NaN, denormals and numbers out of the domain.
  const T intruders[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min(), T(-2),
                         T(1e30f)};
  T mixed[2 * block], mixed_y[2 * block];
  for (int i = 0; i < n; ++i) {
    mixed[2 * i] = intruders[i % 4];
    mixed[2 * i + 1] = x[n - 1 - i];
  }
  f.run(mixed, mixed_y, 2 * n);
  for (int i = 0; i < n; ++i) {
    result.add(x[i], ulp_error(y[i], f.reference(x[i])));
    const T again = mixed_y[2 * (n - 1 - i) + 1];
    if (to_bits(again) != to_bits(y[i]) && !(std::isnan(again) && std::isnan(y[i]))) {
      result.add(x[i], std::numeric_limits<double>::infinity());
    }
  }
}

template <class T, class Generate>
Result<T> sweep(const Function<T>& f, std::int64_t count, Generate generate) {
  const int workers = std::max(1u, std::min(std::thread::hardware_concurrency(), 64u));
  Result<T> result;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&, worker] {
      Result<T> own;
      const std::int64_t begin = count / workers * worker;
      const std::int64_t end = worker + 1 == workers ? count : count / workers * (worker + 1);
      T x[block];
      for (std::int64_t i = begin; i < end; i += block) {
        const int n = static_cast<int>(std::min<std::int64_t>(block, end - i));
        for (int j = 0; j < n; ++j) x[j] = generate(i + j);
        check_block(f, x, n, own);
      }
      const std::lock_guard lock(mutex);
      result.add(own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return result;
}

// Where a reduction changes its interval, a result its kind, or a branch its side.
template <class T>
std::vector<T> special_points() {
  using Limits = std::numeric_limits<T>;
  const double ln2 = std::log(2.0);
  std::vector<double> points = {0.0,
                                Limits::denorm_min(),
                                Limits::min(),
                                Limits::epsilon(),
                                Limits::epsilon() / 4,
                                0.25,
                                std::sqrt(2.0) - 1,
                                0.5,
                                0.625,
                                std::sqrt(0.5),
                                1.0,
                                std::sqrt(2.0),
                                2.0,
                                4.0,
                                Limits::max()};
  for (double limit : {double(Limits::max()), double(Limits::min()), double(Limits::denorm_min())}) {
    points.push_back(std::log(limit));
    points.push_back(std::log(limit) - ln2);
  }
  for (int n = -2; n < Limits::max_exponent + Limits::digits + 4; n += sizeof(T) == 4 ? 1 : 7) {
    points.push_back((n + 0.5) * ln2);
    points.push_back((n + 0.5) * ln2 / 2);
    points.push_back(n);
  }
  std::vector<T> result = {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()};
  for (double point : points) {
    result.push_back(static_cast<T>(point));
    result.push_back(static_cast<T>(-point));
  }
  return result;
}

template <class T>
Result<T> sweep_neighbourhoods(const Function<T>& f) {
  constexpr std::int64_t radius = 200;
  const std::vector<T> points = special_points<T>();
  return sweep(f, static_cast<std::int64_t>(points.size()) * (2 * radius + 1), [&](std::int64_t i) {
    const auto offset = static_cast<typename Wider<T>::Bits>(i % (2 * radius + 1) - radius);
    return from_bits<T>(to_bits(points[static_cast<std::size_t>(i / (2 * radius + 1))]) + offset);
  });
}

// Bit patterns of every size and sign, and values spread evenly where the functions are neither constant nor
// linear.
double sample_double(std::int64_t i) {
  const std::uint64_t mixed = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u;
  const double unit = static_cast<double>(mixed >> 11) * 0x1p-53;
  switch (i % 4) {
    case 0:
      return from_bits<double>(mixed);
    case 1:
      return (unit - 0.5) * 1500;
    case 2:
      return (unit - 0.5) * 8;
    default:
      return (unit - 0.5) * 80;
  }
}

template <class T>
void report(const Function<T>& f, const Result<T>& result) {
  std::printf("%s %s %.4f %a %lld\n", sizeof(T) == 4 ? "float" : "double", f.name, result.max_ulp,
              static_cast<double>(result.worst), static_cast<long long>(result.wrong));
  std::fflush(stdout);
}

int run(std::int64_t stride, const char* only) {
  for (const Function<float>& f : functions<float>()) {
    if (only != nullptr && std::strcmp(only, f.name) != 0) continue;
    Result<float> result = sweep_neighbourhoods(f);
    result.add(sweep(f, ((std::int64_t(1) << 32) + stride - 1) / stride, [&](std::int64_t i) {
      return from_bits<float>(static_cast<std::uint32_t>(i * stride));
    }));
    report(f, result);
  }
  // Where long double is no wider, there is nothing to measure double against.
  if (std::numeric_limits<long double>::digits == std::numeric_limits<double>::digits) return 0;
  for (const Function<double>& f : functions<double>()) {
    if (only != nullptr && std::strcmp(only, f.name) != 0) continue;
    Result<double> result = sweep_neighbourhoods(f);
    result.add(sweep(f, std::int64_t(100'000'000) / stride + 200'000, sample_double));
    report(f, result);
  }
  return 0;
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA

int main(int argc, char** argv) {
  if (!cpu_runs_this_level()) return 77;
  const long long stride = argc > 1 ? std::atoll(argv[1]) : 0;
  if (stride < 1) {
    std::fprintf(stderr, "usage: %s STRIDE [FUNCTION]\n", argv[0]);
    return 2;
  }
  return fastdl::FASTDL_ISA::run(stride, argc > 2 ? argv[2] : nullptr);
}
