// A fixed team of threads that runs a sequence of row-parallel steps, and the buffers they share.
#pragma once
#include <sys/mman.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
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

class Barrier {
 public:
  explicit Barrier(int64_t count) : count_(count), waiting_(0), phase_(0) {}
  void wait() {
    const int64_t phase = phase_.load();
    if (waiting_.fetch_add(1) + 1 == count_) {
      waiting_.store(0);
      std::lock_guard<std::mutex> lock(mutex_);
      phase_.store(phase + 1);
      changed_.notify_all();
      return;
    }
    for (int i = 0; i < kSpins; ++i) {
      if (phase_.load(std::memory_order_acquire) != phase) return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return phase_.load() != phase; });
  }

 private:
  static constexpr int kSpins = 2000;
  const int64_t count_;
  std::atomic<int64_t> waiting_, phase_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Calls body(step, block, worker) for every block of every step; a step starts when all blocks
// of the one before are done. Returns after the last. Falls back to fewer threads.
template <class Body>
void run_team(int64_t threads, int64_t steps, int64_t blocks, const Body& body) {
  std::vector<std::atomic<int64_t>> next(steps);
  for (auto& n : next) n.store(0);
  if (threads > blocks) threads = blocks > 0 ? blocks : 1;
  std::vector<std::thread> team;
  std::mutex start;
  std::condition_variable started;
  Barrier* barrier = nullptr;
  auto work = [&](int64_t worker) {
    for (int64_t s = 0; s < steps; ++s) {
      for (int64_t b; (b = next[s].fetch_add(1)) < blocks;) body(s, b, worker);
      barrier->wait();
    }
  };
  auto member = [&](int64_t worker) {
    {
      std::unique_lock<std::mutex> lock(start);
      started.wait(lock, [&] { return barrier != nullptr; });
    }
    work(worker);
  };
  try {
    for (int64_t w = 1; w < threads; ++w) team.emplace_back(member, w);
  } catch (const std::system_error&) {  // no more threads: go on with those there are
  }
  Barrier all(int64_t(team.size()) + 1);
  {
    std::lock_guard<std::mutex> lock(start);
    barrier = &all;
    started.notify_all();
  }
  work(0);
  for (auto& t : team) t.join();
}

constexpr size_t kHugePage = size_t(2) << 20;

inline void advise_huge(void* p, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const uintptr_t first = (uintptr_t(p) + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t last = (uintptr_t(p) + bytes) / kHugePage * kHugePage;
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

// One buffer kept between calls, so that a call does not pay for fresh pages; a second call at the
// same time gets a buffer of its own.
class Workspace {
 public:
  explicit Workspace(size_t bytes) : cached_(cache_lock().try_lock()), own_{nullptr, 0} {
    Buffer& b = cached_ ? cache() : own_;
    if (b.size >= bytes) return;
    std::free(b.data);
    const size_t unit = bytes >= kHugePage ? kHugePage : 64;
    const size_t size = (bytes + unit - 1) / unit * unit;
    b.data = static_cast<uint8_t*>(std::aligned_alloc(unit, size));
    b.size = b.data ? size : 0;
    if (b.data) advise_huge(b.data, size);
  }
  ~Workspace() {
    std::free(own_.data);
    if (cached_) cache_lock().unlock();
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  uint8_t* data() const { return cached_ ? cache().data : own_.data; }

  static int64_t release() {
    std::lock_guard<std::mutex> lock(cache_lock());
    const int64_t size = int64_t(cache().size);
    std::free(cache().data);
    cache() = {nullptr, 0};
    return size;
  }

 private:
  struct Buffer {
    uint8_t* data;
    size_t size;
  };
  static Buffer& cache() {
    static Buffer buffer{nullptr, 0};
    return buffer;
  }
  static std::mutex& cache_lock() {
    static std::mutex lock;
    return lock;
  }
  const bool cached_;
  Buffer own_;
};

}  // namespace qgnn
