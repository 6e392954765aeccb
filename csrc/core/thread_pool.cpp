#include "core/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/cpus.h"
#include "core/openmp_team.h"

namespace fastdl {
namespace {

constexpr int max_threads = 1024;

/// Pauses before a waiting thread sleeps: 0.1 to 0.5 ms, so that back-to-back calls find their workers awake
/// and another library's pool gets the cores soon after the last one.
constexpr int spins_before_sleep = 10000;

using Clock = std::chrono::steady_clock;

/// For the end of a region of PyTorch's team, beyond the time of two chunks. A team that has lost that much
/// of a job's time is not used for away_per_loss times as long, so that at most a fiftieth is lost.
constexpr auto tolerated_wait = std::chrono::microseconds(200);
constexpr int away_per_loss = 50;

/// Pauses of a wait that is not timed.
constexpr int quick_spins = 63;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#else
  std::this_thread::yield();
#endif
}

/// Waits for ready() at most `spins` pauses long; every now and then lets other threads have the CPU, if
/// `polite`.
template <class Ready>
bool spin_until(int spins, bool polite, Ready ready) {
  for (int i = 1; i <= spins; ++i) {
    if (ready()) return true;
    if (polite && i % 64 == 0) {
      std::this_thread::yield();
    } else {
      pause();
    }
  }
  return ready();
}

/// One run_chunks call, on the stack of its caller.
class Job {
 public:
  Job(std::int64_t chunks, void (*body)(void*, std::int64_t), void* context)
      : chunks_(chunks), body_(body), context_(context) {}

  std::int64_t chunks() const { return chunks_; }

  void run(std::int64_t chunk) {
    try {
      body_(context_, chunk);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_ || chunk < failed_chunk_) {
        failure_ = std::current_exception();
        failed_chunk_ = chunk;
      }
    }
  }

  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const std::int64_t chunks_;
  void (*const body_)(void*, std::int64_t);
  void* const context_;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::int64_t failed_chunk_ = 0;
};

/// Runs one job at a time.
///
/// `state_` holds the number of the job in its upper half and, while the job is open, the number of workers
/// asked to take part in its lower half. A worker counts itself in (`active_`), and only then looks whether
/// the job is still open; the caller closes the job when every chunk is claimed, and returns when `active_`
/// is zero. So nobody waits for a worker that wakes late, and a late worker does not touch a job that has
/// ended. Both sides write one of the two variables and then read the other, which is why these accesses are
/// sequentially consistent.
class Pool {
 public:
  Pool() : cpus_(available_cpus()) {}

  /// False, with nothing run, if the pool is busy.
  bool try_run(Job& job, int threads) {
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    if (!run_on_torch(job, threads)) run_on_workers(job, threads);
    busy_.store(false, std::memory_order_release);
    return true;
  }

  /// Keeps away from PyTorch's team, of which `lost` is the latest delay.
  void leave_team(Clock::duration lost) {
    const Clock::time_point from = Clock::now() + away_per_loss * lost;
    team_from_.store(from.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  /// False, with nothing run, unless PyTorch is there with a team of as many threads as ours: to change the
  /// size of a team is slow.
  ///
  /// A region ends when every member has come, which takes milliseconds where another process has a member's
  /// CPU. So the time that is lost by waiting is measured, and the team left alone for a multiple of it.
  bool run_on_torch(Job& job, int threads) {
    const OpenMpTeam* const team = OpenMpTeam::of_torch();
    if (team == nullptr || team->size() != get_num_threads()) return false;
    const Clock::time_point begin = Clock::now();
    if (begin.time_since_epoch().count() < team_from_.load(std::memory_order_relaxed)) return false;
    divide(job, threads);
    struct Region {
      Pool& pool;
      std::int64_t own_chunks = 0;
      Clock::time_point ready{};
    } region{*this};
    team->run(
        team->size(),
        [](void* data, int member) {
          auto& [pool, own_chunks, ready] = *static_cast<Region*>(data);
          const std::int64_t chunks = pool.work(member % pool.share_count_);
          if (member != 0) return;
          own_chunks = chunks;
          ready = Clock::now();
        },
        &region);
    if (region.own_chunks == 0) return true;
    const Clock::time_point end = Clock::now();
    const Clock::duration chunk = (region.ready - begin) / region.own_chunks;
    const Clock::duration lost = end - region.ready - 2 * chunk;
    if (lost > tolerated_wait) leave_team(lost);
    return true;
  }

  void run_on_workers(Job& job, int threads) {
    // With more threads than CPUs, a spinning thread keeps the one it waits for from running.
    one_cpu_each_ = threads <= cpus_;
    spins_.store(one_cpu_each_ ? spins_before_sleep : 0, std::memory_order_relaxed);
    divide(job, start_workers(threads - 1) + 1);
    open(share_count_ - 1);
    work(0);
    close();
  }

  struct alignas(64) Worker {
    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<bool> asleep{false};
    std::thread::native_handle_type thread{};
  };

  /// The next chunk of one thread's share of a job.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
  };

  /// The number of workers there are now, at most `wanted`: fewer if the system refuses more threads.
  int start_workers(int wanted) {
    if (static_cast<int>(workers_.size()) >= wanted) return wanted;
    sigset_t blocked, previous;
    sigfillset(&blocked);  // signals are for the interpreter's threads, but for those that a fault raises
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &previous);
    try {
      while (static_cast<int>(workers_.size()) < wanted) {
        auto worker = std::make_unique<Worker>();
        const auto index = static_cast<std::uint32_t>(workers_.size());
        workers_.reserve(workers_.size() + 1);
        std::thread thread(&Pool::serve, this, std::ref(*worker), index, state_.load());
        worker->thread = thread.native_handle();
#if defined(__linux__)
        pthread_setname_np(worker->thread, "fastdl");
#endif
        if (one_cpu_each_) keep_off_this_cpu(worker->thread);
        thread.detach();
        workers_.push_back(std::move(worker));
      }
    } catch (const std::system_error&) {  // a limit on threads: fewer will do
    } catch (const std::bad_alloc&) {
    }
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    return static_cast<int>(workers_.size());
  }

  /// Where share `index` of the job begins, and share `index` - 1 ends.
  std::int64_t share_begin(int index) const {
    return index * share_size_ + std::min<std::int64_t>(index, larger_shares_);
  }

  /// Runs the chunks of one share, then what the others have left. A thread has the same share of every job
  /// of the same size, so it finds in its cache what it wrote there in the job before. Answers how many it
  /// ran.
  std::int64_t work(int first) {
    std::int64_t run = 0;
    for (int i = 0; i < share_count_; ++i) {
      const int index = (first + i) % share_count_;
      const std::int64_t end = share_begin(index + 1);
      std::atomic<std::int64_t>& next = shares_[index].next;
      for (std::int64_t chunk; (chunk = next.fetch_add(1, std::memory_order_relaxed)) < end; ++run)
        job_->run(chunk);
    }
    return run;
  }

  /// Cuts a job into at most `shares`: fewer where there is no memory for more.
  void divide(Job& job, int shares) {
    if (shares > share_capacity_) {
      if (auto* const larger = new (std::nothrow) Share[static_cast<std::size_t>(shares)]) {
        shares_.reset(larger);
        share_capacity_ = shares;
      }
    }
    job_ = &job;
    share_count_ = std::min(shares, share_capacity_);
    share_size_ = job.chunks() / share_count_;
    larger_shares_ = job.chunks() % share_count_;
    for (int i = 0; i < share_count_; ++i) shares_[i].next.store(share_begin(i), std::memory_order_relaxed);
  }

  void open(int helpers) {
    state_.store(state_.load() + (std::uint64_t{1} << 32) + static_cast<std::uint64_t>(helpers));
    for (int i = 0; i < helpers; ++i) {
      Worker& worker = *workers_[i];
      if (worker.asleep.load()) {
        if (one_cpu_each_) keep_off_this_cpu(worker.thread);
        {
          const std::lock_guard lock(worker.mutex);
        }  // either it waits by now, or it has yet to look at state_
        worker.wake.notify_one();
      }
    }
  }

  void close() {
    state_.store(state_.load() & ~std::uint64_t{UINT32_MAX});
    const auto idle = [this] { return active_.load() == 0; };
    if (spin_until(spins_.load(std::memory_order_relaxed), false, idle)) return;
    std::unique_lock lock(caller_mutex_);
    caller_asleep_.store(true);
    caller_wake_.wait(lock, idle);
    caller_asleep_.store(false);
  }

  void serve(Worker& self, std::uint32_t index, std::uint64_t seen) {
    for (;;) {
      seen = next_job(self, index, seen);
      active_.fetch_add(1);
      if (state_.load() == seen) work(static_cast<int>(index) + 1);
      if (active_.fetch_sub(1) == 1 && caller_asleep_.load()) {
        {
          const std::lock_guard lock(caller_mutex_);
        }
        caller_wake_.notify_one();
      }
    }
  }

  /// Waits for a job other than `seen` that asks for worker `index`.
  std::uint64_t next_job(Worker& self, std::uint32_t index, std::uint64_t seen) {
    std::uint64_t state = seen;
    const auto wanted = [&] {
      state = state_.load();
      return state != seen && static_cast<std::uint32_t>(state) > index;
    };
    if (spin_until(spins_.load(std::memory_order_relaxed), true, wanted)) return state;
    std::unique_lock lock(self.mutex);
    self.asleep.store(true);
    self.wake.wait(lock, wanted);
    self.asleep.store(false);
    return state;
  }

  const int cpus_;
  alignas(64) std::atomic<bool> busy_{false};
  // Written by the thread that set busy_, while the job is closed; workers read them while it is open.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Share[]> shares_ = std::make_unique<Share[]>(1);
  int share_count_ = 1, share_capacity_ = 1;
  std::int64_t share_size_ = 0, larger_shares_ = 0;
  Job* job_ = nullptr;
  std::atomic<Clock::rep> team_from_{0};  // when PyTorch's team may be used again
  bool one_cpu_each_ = true;
  std::atomic<int> spins_{0};
  alignas(64) std::atomic<std::uint64_t> state_{0};
  alignas(64) std::atomic<int> active_{0};
  std::atomic<bool> caller_asleep_{false};
  std::mutex caller_mutex_;
  std::condition_variable caller_wake_;
};

/// Never destroyed: workers may sleep in it while the process exits. A forked child, which has none of the
/// workers and may find any of the locks taken, leaves its parent's pool alone and makes its own on first
/// use.
std::atomic<Pool*> the_pool{nullptr};

[[maybe_unused]] const int fork_handler =
    pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr, std::memory_order_relaxed); });

Pool& pool() {
  Pool* current = the_pool.load(std::memory_order_acquire);
  if (current != nullptr) return *current;
  auto fresh = std::make_unique<Pool>();
  if (the_pool.compare_exchange_strong(current, fresh.get(), std::memory_order_acq_rel))
    return *fresh.release();
  return *current;
}

/// One run_steps call. Its members are the chunks of one job: none of them relies on another's being run by a
/// thread of its own, for each takes what chunks are left and waits for none but those that somebody has
/// claimed.
///
/// Every member has a share of each step's chunks. A share's claims are numbered through all steps, so that
/// nothing has to be reset between steps, and a member that is late finds the claims of the steps it missed
/// gone.
class Steps {
 public:
  using Body = void (*)(void* context, std::int64_t step, std::int64_t chunk) noexcept;

  Steps(std::int64_t steps, std::int64_t chunks, int members, Body body, void* context)
      : steps_(steps),
        chunks_(chunks),
        members_(members),
        body_(body),
        context_(context),
        shares_(std::make_unique<Share[]>(static_cast<std::size_t>(members))) {}

  void run_member(int member) {
    for (std::int64_t step = done_.load(std::memory_order_acquire) / chunks_; step < steps_; ++step) {
      std::int64_t finished = 0;
      for (int i = 0; i < members_; ++i) finished += run_share((member + i) % members_, step);
      const std::int64_t end = (step + 1) * chunks_;
      if (finished > 0 && done_.fetch_add(finished, std::memory_order_acq_rel) + finished == end) continue;
      const auto ended = [&] { return done_.load(std::memory_order_acquire) >= end; };
      if (spin_until(quick_spins, true, ended)) continue;
      const Clock::time_point begin = Clock::now();
      while (!spin_until(spins_before_sleep, true, ended)) {
      }
      const Clock::duration waited = Clock::now() - begin;
      if (waited > tolerated_wait) pool().leave_team(waited);  // whosever threads these were
    }
  }

 private:
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
  };

  /// Runs what is left of a share in `step`; returns the number of its chunks that were run here.
  std::int64_t run_share(int index, std::int64_t step) {
    const std::int64_t begin = chunks_ * index / members_, size = chunks_ * (index + 1) / members_ - begin;
    std::atomic<std::int64_t>& next = shares_[static_cast<std::size_t>(index)].next;
    std::int64_t claimed = 0, claim = next.load(std::memory_order_relaxed);
    while (claim < (step + 1) * size) {
      if (!next.compare_exchange_weak(claim, claim + 1, std::memory_order_relaxed)) continue;
      const std::int64_t at = claim - step * size;
      body_(context_, step, begin + (step % 2 == 0 ? at : size - 1 - at));
      ++claimed;
      ++claim;
    }
    return claimed;
  }

  const std::int64_t steps_, chunks_;
  const int members_;
  const Body body_;
  void* const context_;
  const std::unique_ptr<Share[]> shares_;
  /// Chunks that were run, of all steps.
  alignas(64) std::atomic<std::int64_t> done_{0};
};

/// The first number in OMP_NUM_THREADS (a list gives one per nesting level), or 0.
int threads_from_environment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (text == nullptr) return 0;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  while (*end == ' ' || *end == '\t') ++end;
  const bool is_number = end != text && (*end == '\0' || *end == ',');
  return is_number && value >= 1 && value <= INT_MAX ? static_cast<int>(value) : 0;
}

std::atomic<int> num_threads{0};
std::atomic<std::int64_t> most_chunks{0};

void note_chunks(std::int64_t chunks) {
  if (chunks > most_chunks.load(std::memory_order_relaxed))
    most_chunks.store(chunks, std::memory_order_relaxed);
}

}  // namespace

void run_chunks(std::int64_t chunks, void (*body)(void* context, std::int64_t chunk), void* context) {
  if (chunks <= 0) return;
  note_chunks(chunks);
  Job job(chunks, body, context);
  const auto threads =
      static_cast<int>(std::min<std::int64_t>({chunks, std::int64_t{get_num_threads()}, max_threads}));
  if (threads == 1 || !pool().try_run(job, threads)) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) job.run(chunk);
  }
  job.rethrow_failure();
}

void run_steps(std::int64_t steps, std::int64_t chunks,
               void (*body)(void* context, std::int64_t step, std::int64_t chunk) noexcept, void* context) {
  if (steps <= 0 || chunks <= 0) return;
  note_chunks(chunks);
  const auto members =
      static_cast<int>(std::min<std::int64_t>({chunks, std::int64_t{get_num_threads()}, max_threads}));
  Steps all(steps, chunks, members, body, context);
  parallel_for(members, [&](std::int64_t member) { all.run_member(static_cast<int>(member)); });
}

std::int64_t take_most_chunks() {
  return most_chunks.exchange(0);
}

void set_num_threads(int threads) {
  if (threads < 1) {
    throw std::invalid_argument("[set_num_threads] threads: expected at least 1, got " +
                                std::to_string(threads));
  }
  num_threads.store(threads, std::memory_order_relaxed);
}

int get_num_threads() {
  int threads = num_threads.load(std::memory_order_relaxed);
  if (threads != 0) return threads;
  const int from_environment = threads_from_environment();
  int unset = 0;
  threads = from_environment != 0 ? from_environment : available_cpus();
  return num_threads.compare_exchange_strong(unset, threads) ? threads : unset;
}

}  // namespace fastdl

/// For threadpoolctl, which finds them by name in the extension module.
extern "C" {
__attribute__((visibility("default"))) void fastdl_set_num_threads(int threads) {
  fastdl::set_num_threads(threads < 1 ? 1 : threads);
}

__attribute__((visibility("default"))) int fastdl_get_num_threads() {
  return fastdl::get_num_threads();
}
}
