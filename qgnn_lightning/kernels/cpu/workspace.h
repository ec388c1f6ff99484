// Memory that is kept between calls, in huge pages where there are any.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>

namespace qgnn {

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

  // Nothing while a call uses it, or did so when this process was forked.
  static int64_t release() {
    std::unique_lock<std::mutex> lock(cache_lock(), std::try_to_lock);
    if (!lock) return 0;
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
