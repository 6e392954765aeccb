#include "core/openmp_team.h"

#include <atomic>

#if defined(__linux__)
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <cstring>
#endif

namespace fastdl {

#if defined(__linux__)

namespace {

/// Between two looks for PyTorch, which may be imported at any time; a look takes some microseconds.
constexpr unsigned calls_between_looks = 256;

std::atomic<bool> forked{false};

[[maybe_unused]] const int fork_handler =
    pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });

/// What PyTorch's library, or one that it is linked with, has under this name.
template <class Function>
bool load(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

int is_torch(dl_phdr_info* info, std::size_t, void* path) {
  if (std::strstr(info->dlpi_name, "libtorch_cpu.so") == nullptr) return 0;
  *static_cast<const char**>(path) = info->dlpi_name;
  return 1;
}

}  // namespace

bool OpenMpTeam::find() {
  const char* path = nullptr;
  if (dl_iterate_phdr(&is_torch, &path) == 0) return false;
  void* const library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);  // never closed
  return library != nullptr && load(library, "GOMP_parallel", parallel_) &&
         load(library, "omp_get_max_threads", max_threads_) &&
         load(library, "omp_get_thread_num", thread_num_);
}

const OpenMpTeam* OpenMpTeam::of_torch() {
  static OpenMpTeam team;
  static std::atomic<const OpenMpTeam*> found{nullptr};
  static std::atomic<unsigned> calls{0};
  if (forked.load(std::memory_order_relaxed)) return nullptr;
  const OpenMpTeam* const known = found.load(std::memory_order_acquire);
  if (known != nullptr || calls.fetch_add(1, std::memory_order_relaxed) % calls_between_looks != 0)
    return known;
  if (!team.find()) return nullptr;
  found.store(&team, std::memory_order_release);
  return &team;
}

void OpenMpTeam::run(int size, void (*body)(void* context, int member), void* context) const {
  struct Region {
    void (*body)(void* context, int member);
    void* context;
    int (*thread_num)();
  } region{body, context, thread_num_};
  parallel_(
      [](void* data) {
        const auto& [run_body, with, thread_num] = *static_cast<const Region*>(data);
        run_body(with, thread_num());
      },
      &region, static_cast<unsigned>(size), 0);
}

#else

bool OpenMpTeam::find() {
  return false;
}

const OpenMpTeam* OpenMpTeam::of_torch() {
  return nullptr;
}

void OpenMpTeam::run(int, void (*)(void*, int), void*) const {}

#endif

}  // namespace fastdl
