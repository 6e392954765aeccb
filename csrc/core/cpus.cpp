#include "core/cpus.h"

#include <algorithm>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#endif

namespace fastdl {
namespace {

int hardware_threads() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

#if defined(__linux__)

int cpus_in_affinity_mask() {
  // The kernel answers EINVAL while the set is smaller than its own mask.
  for (int capacity = 1024; capacity <= (1 << 20); capacity *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(capacity),
                                                               [](cpu_set_t* p) { CPU_FREE(p); });
    if (!set) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(capacity);
    if (sched_getaffinity(0, bytes, set.get()) == 0) return std::max(1, CPU_COUNT_S(bytes, set.get()));
    if (errno != EINVAL) break;
  }
  return hardware_threads();
}

constexpr double unlimited = std::numeric_limits<double>::infinity();

/// CPUs granted by one cgroup directory: `cpu.max` (version 2) or `cpu.cfs_quota_us` (version 1).
double quota_of(const std::string& directory) {
  double quota = -1, period = 0;
  if (std::ifstream file(directory + "/cpu.max"); file) {
    file >> quota >> period;  // "max 100000" leaves both unread
    return file && quota > 0 && period > 0 ? quota / period : unlimited;
  }
  std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : unlimited;
}

/// The tightest quota from mount + path up to mount. A path that the container does not see counts as
/// unlimited.
double quota_upwards(const std::string& mount, std::string path) {
  double quota = unlimited;
  while (!path.empty() && path != "/") {
    quota = std::min(quota, quota_of(mount + path));
    path.erase(path.rfind('/'));
  }
  return std::min(quota, quota_of(mount));
}

double cgroup_cpu_quota() {
  const std::string root = "/sys/fs/cgroup";
  double quota = unlimited;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // hierarchy:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line.compare(second + 1, 1, "/") != 0) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) quota = std::min(quota, quota_upwards(root, path));
    std::istringstream list(controllers);
    for (std::string controller; std::getline(list, controller, ',');) {
      if (controller == "cpu") quota = std::min(quota, quota_upwards(root + "/" + controllers, path));
    }
  }
  return quota;
}

#endif

}  // namespace

int available_cpus() {
#if defined(__linux__)
  const int cpus = cpus_in_affinity_mask();
  const double quota = cgroup_cpu_quota();
  return quota < cpus ? std::max(1, static_cast<int>(std::ceil(quota))) : cpus;
#else
  return hardware_threads();
#endif
}

void keep_off_this_cpu([[maybe_unused]] std::thread::native_handle_type thread) {
#if defined(__linux__)
  cpu_set_t cpus;
  const int here = sched_getcpu();
  if (here < 0 || sched_getaffinity(0, sizeof cpus, &cpus) != 0) return;
  CPU_CLR(here, &cpus);
  if (CPU_COUNT(&cpus) > 0) pthread_setaffinity_np(thread, sizeof cpus, &cpus);
#endif
}

}  // namespace fastdl
