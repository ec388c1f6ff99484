// A team of threads that runs a sequence of row-parallel steps.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "common.h"

namespace qgnn {

// Blocks of rows of about equal work; a row costs its entries plus a constant.
class Partition {
 public:
  Partition(const int64_t* rowptr, int64_t rows, int64_t blocks) {
    constexpr int64_t kRowCost = 8;
    const int64_t total = (rowptr ? rowptr[rows] : 0) + kRowCost * rows;
    bounds_.push_back(0);
    for (int64_t b = 1; b < blocks; ++b) {
      int64_t low = bounds_.back(), high = rows;
      while (low < high) {
        const int64_t mid = (low + high) / 2;
        const int64_t work = (rowptr ? rowptr[mid] : 0) + kRowCost * mid;
        if (double(work) * double(blocks) < double(total) * double(b)) low = mid + 1;
        else high = mid;
      }
      if (low > bounds_.back()) bounds_.push_back(low);
    }
    if (rows > bounds_.back()) bounds_.push_back(rows);
  }
  int64_t size() const { return int64_t(bounds_.size()) - 1; }
  int64_t begin(int64_t block) const { return bounds_[block]; }
  int64_t end(int64_t block) const { return bounds_[block + 1]; }

 private:
  std::vector<int64_t> bounds_;
};

constexpr int64_t kSpins = 20000;  // some 50 to 500 microseconds, between jobs
constexpr int64_t kShortSpins = 1000;  // within one: who is waited for may need this processor

// Waits a moment, the `times`-th time in a row: at first without giving up the processor.
inline void wait_a_moment(int64_t times, int64_t spins = kShortSpins) {
#if defined(__x86_64__) || defined(__i386__)
  if (times < spins) return __builtin_ia32_pause();
#endif
  std::this_thread::yield();
}

// How the floats of a thread are rounded, and whether tiny ones count as zero.
struct FloatMode {
  unsigned control = 0;
#ifdef __x86_64__
  static FloatMode current() { return FloatMode{__builtin_ia32_stmxcsr()}; }
  void apply() const { __builtin_ia32_ldmxcsr(control); }
#else
  static FloatMode current() { return {}; }
  void apply() const {}
#endif
};

// Threads that wait for jobs, a short while without going to sleep.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
      jobs_.fetch_add(1);
    }
    changed_.notify_all();
    for (auto& t : members_) t.join();
  }
  // Makes so many members, or fewer where no more threads are to be had.
  void grow_to(int64_t members) {
    try {
      while (int64_t(members_.size()) < members) {
        const int64_t worker = int64_t(members_.size()) + 1;
        members_.emplace_back([this, worker, done = jobs_.load()] { serve(worker, done); });
      }
    } catch (const std::system_error&) {  // go on with those there are
    }
  }
  // Calls job(0) here, and job(worker) on up to so many members that come before job(0) is done.
  void run(int64_t members, const std::function<void(int64_t)>& job) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      mode_ = FloatMode::current();
      wanted_ = members;
      jobs_.fetch_add(1);
    }
    changed_.notify_all();
    job(0);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = nullptr;
    }
    for (int64_t i = 0; working_.load() > 0; ++i) wait_a_moment(i);
  }

 private:
  void serve(int64_t worker, uint64_t done) {
    for (;;) {
      for (int64_t i = 0; i < kSpins && jobs_.load() == done; ++i) wait_a_moment(i, kSpins);
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return jobs_.load() != done; });
      done = jobs_.load();
      if (ended_) return;
      if (!job_ || worker > wanted_) continue;
      working_.fetch_add(1);
      const auto* job = job_;
      mode_.apply();
      lock.unlock();
      (*job)(worker);
      working_.fetch_sub(1);
    }
  }

  std::vector<std::thread> members_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<uint64_t> jobs_{0};
  std::atomic<int64_t> working_{0};
  const std::function<void(int64_t)>* job_ = nullptr;
  FloatMode mode_;  // of who calls
  int64_t wanted_ = 0;
  bool ended_ = false;
};

// The team that calls share, one at a time; a second call at the same time gets one of its own. The
// threads of a team do not live on in a forked process, so that it gets another.
class SharedTeam {
 public:
  SharedTeam() : shared_(lock().try_lock()), team_(shared_ ? shared() : own_) {}
  ~SharedTeam() {
    if (shared_) lock().unlock();
  }
  SharedTeam(const SharedTeam&) = delete;
  SharedTeam& operator=(const SharedTeam&) = delete;
  Team* operator->() { return &team_; }

 private:
  static std::mutex& lock() {
    static std::mutex mutex;
    return mutex;
  }
  // Never destroyed: its threads may outlive what the end of a process destroys.
  static Team& shared() {
    static Team* team = nullptr;
    static pid_t process = 0;
    if (!team || process != getpid()) {
      team = new Team;
      process = getpid();
    }
    return *team;
  }
  const bool shared_;
  Team own_;
  Team& team_;
};

// Steps of blocks, taken by whoever comes; a step starts when all blocks of the one before are done.
template <class Body>
class Steps {
 public:
  Steps(int64_t steps, int64_t blocks, const Body& body)
      : steps_(steps), blocks_(blocks), body_(body), taken_(size_t(steps)), done_(size_t(steps)) {}
  // Returns when all steps are done.
  void work(int64_t worker) {
    for (int64_t s = 0; s < steps_; s = step_.load()) {
      int64_t b;
      while ((b = taken_[size_t(s)].fetch_add(1)) < blocks_) {
        body_(s, b, worker);
        if (done_[size_t(s)].fetch_add(1) + 1 == blocks_) step_.store(s + 1);
      }
      for (int64_t i = 0; step_.load() == s; ++i) wait_a_moment(i);
    }
  }

 private:
  const int64_t steps_, blocks_;
  const Body& body_;
  std::atomic<int64_t> step_{0};
  std::vector<std::atomic<int64_t>> taken_, done_;
};

// Calls body(step, block, worker) for every block of every step, by up to so many threads. Returns
// after the last.
template <class Body>
void run_team(int64_t threads, int64_t steps, int64_t blocks, const Body& body) {
  if (blocks == 0) return;
  Steps<Body> all(steps, blocks, body);
  if (threads <= 1 || blocks == 1) return all.work(0);
  SharedTeam team;
  const int64_t members = std::min(threads, blocks) - 1;
  team->grow_to(members);
  team->run(members, [&](int64_t worker) { all.work(worker); });
}

}  // namespace qgnn
