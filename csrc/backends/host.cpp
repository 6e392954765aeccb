#include <dlfcn.h>

#include <atomic>

#include "backends/backends.h"
#include "core/error.h"
#include "core/shape.h"

namespace fastdl {
namespace {

std::atomic<const BackendTable*> override_table{nullptr};

const BackendTable* load_backend(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw ValueError(concat("[use_host_backend] library_path: ", dlerror()));
  const auto entry = reinterpret_cast<const BackendTable* (*)()>(dlsym(library, "fastdl_backend"));
  if (entry == nullptr)
    throw ValueError(concat("[use_host_backend] library_path: ", path, " exports no fastdl_backend"));
  const BackendTable* table = entry();
  if (table->version != BackendTable::current_version || table->bytes != sizeof(BackendTable))
    throw ValueError(concat("[use_host_backend] library_path: ", path, " was built for backend version ",
                            table->version, " (", table->bytes, " bytes), this is version ",
                            BackendTable::current_version, " (", sizeof(BackendTable), " bytes)"));
  return table;
}

}  // namespace

void use_host_backend(const std::string& library_path) {
  override_table.store(library_path.empty() ? nullptr : load_backend(library_path));
}

const BackendTable& host_backend() {
  const BackendTable* table = override_table.load(std::memory_order_relaxed);
  return table != nullptr ? *table : cpu_backend();
}

}  // namespace fastdl
