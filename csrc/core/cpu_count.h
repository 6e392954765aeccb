#pragma once

namespace fastdl {

/// CPUs that this process may keep busy: those in its affinity mask, limited by the CPU quota of its cgroup
/// and of the cgroups above it (rounded up). At least 1.
int available_cpus();

}  // namespace fastdl
