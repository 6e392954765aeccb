#pragma once

#include <thread>

namespace fastdl {

/// CPUs that this process may keep busy: those in its affinity mask, limited by the CPU quota of its cgroup
/// and of the cgroups above it (rounded up). At least 1.
int available_cpus();

/// Lets `thread` run wherever the calling thread may, but not on the CPU that the calling thread runs on now.
/// For a thread that is about to be woken: schedulers, and those of virtual machines above all, like to put
/// it there, where it waits for the one that wants its help (cold start of a job of 2 x 100 us: 280 us
/// without this, 170 us with).
void keep_off_this_cpu(std::thread::native_handle_type thread);

}  // namespace fastdl
