// The memory of one propagation: codes, residuals, tables, and where in a workspace they lie.
#pragma once
#include <algorithm>

#include "common.h"
#include "grouped_rows.h"

namespace qgnn {

inline size_t padded(size_t bytes) { return (bytes + 127) / 64 * 64; }

// Hands out consecutive pieces of a workspace; without one it only measures.
struct Arena {
  uint8_t* base;
  size_t used = 0;
  template <class T>
  T* take(size_t count) {
    T* p = base ? reinterpret_cast<T*>(base + used) : nullptr;
    used += padded(count * sizeof(T));
    return p;
  }
};

// Everything the workers of one propagation read and write.
struct Plan {
  const QgnnPropagation& call;
  int64_t capacity, workers;
  uint8_t* codes = nullptr;
  void* carried = nullptr;
  float *state = nullptr, *rows = nullptr, *tables = nullptr;
  uint8_t* padding = nullptr;
  const GroupedRows* groups = nullptr;  // where rows are taken in groups

  Plan(const QgnnPropagation& c, int64_t threads)
      : call(c), capacity(c.row_bytes * lanes(int(c.num_bits))), workers(threads) {
    if (!GroupedRows::suits(c)) return;
    if (!c.groups) own_groups_.reset(new GroupedRows(c));
    groups = c.groups ? c.groups : own_groups_.get();
    if (groups->groups() == 0) groups = nullptr;
  }

  bool keeps_history() const { return call.delta_sigma != 0; }
  bool carries() const {
    return call.delta_sigma ? call.num_steps > 1 : call.momentum == 0.0f;
  }
  size_t layout(uint8_t* base) {
    Arena arena{base};
    const size_t n = size_t(call.num_nodes);
    padding = arena.take<uint8_t>(size_t(call.row_bytes));
    rows = arena.take<float>(size_t(2 * workers * capacity));
    tables = arena.take<float>(size_t(kTableSize * call.num_steps));
    if (!call.trace) {
      const size_t copies = keeps_history() ? size_t(call.num_steps) : 2;
      codes = arena.take<uint8_t>(copies * size_t(code_bytes()));
    }
    const int64_t values = groups ? groups->size(call) : call.num_nodes * carried_row(call);
    if (carries()) carried = arena.take<uint8_t>(size_t(values * carried_bytes(call)));
    if (call.momentum != 0.0f) state = arena.take<float>(n * size_t(capacity));
    return arena.used;
  }
  // Of one step.
  int64_t code_bytes() const { return groups ? groups->size(call) : call.num_nodes * call.row_bytes; }
  uint8_t* codes_of(int64_t k) const {
    if (call.trace) return call.trace + k * code_bytes();
    return codes + (keeps_history() ? k : k % 2) * code_bytes();
  }
  void fill() {
    for (int64_t i = 0; i < 2 * workers * capacity; ++i) rows[i] = 0.0f;
    for (int64_t j = 0; j < call.row_bytes; ++j) padding[j] = 0;
    for (int64_t f = 0; f < call.num_features; ++f) {
      const int lane = int(f / call.row_bytes), bits = int(call.num_bits);
      padding[f % call.row_bytes] |= uint8_t(((1 << bits) - 1) << (bits * lane));
    }
  }
  void fill_tables() {
    const int32_t stride = call.truncated ? 85 : 1;
    for (int64_t i = 0; i < kTableSize * call.num_steps; ++i) {
      const int64_t k = i / kTableSize;
      tables[i] = call.scale[k] * float(stride * int32_t(i % 4) - call.zero_point[k]);
    }
  }
  RowScratch scratch(int64_t worker) const {
    float* x = rows + 2 * worker * capacity;
    return {x, x + capacity};
  }

 private:
  std::unique_ptr<const GroupedRows> own_groups_;
};

}  // namespace qgnn
