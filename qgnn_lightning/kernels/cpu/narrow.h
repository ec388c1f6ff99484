// Rows of at most 16 features in a graph whose state lies in the caches near to a core: in groups of
// four with as many neighbours and the same gain, so that a group shares registers and every branch.
#pragma once
#include <algorithm>
#include <memory>

#include "common.h"
#include "parallel.h"

namespace qgnn {

constexpr int64_t kPartFeatures = 8;  // of a row, that are taken at once
constexpr int64_t kGroupRows = 4;
constexpr int64_t kBlockGroups = 128;  // a block that is worth being shared out

// The places of rows in the order of their number of neighbours. What the steps hand on lies at
// these places, [parts, places, kPartFeatures], with a byte for a code. A group that lacks rows takes
// its first one several times, which gives the same several times.
class NarrowRows {
 public:
  explicit NarrowRows(const QgnnPropagation& c) : call_(c) {
    if (!suits(c)) return;
    sort();
    make_groups();
  }
  // Whether rows are taken in this way.
  explicit operator bool() const { return groups_ > 0; }
  int64_t groups() const { return groups_; }
  int64_t places() const { return kGroupRows * groups_; }
  int64_t parts() const { return (call_.num_features + kPartFeatures - 1) / kPartFeatures; }
  // Values of all rows.
  int64_t size() const { return parts() * places() * kPartFeatures; }
  // Of groups.
  Partition blocks() const { return Partition(begin_.get(), groups_, groups_ / kBlockGroups + 1); }
  const int32_t* row_at() const { return row_at_.get(); }
  // Columns of group g, as places: its rows side by side.
  const uint16_t* columns(int64_t g) const { return column_.get() + kGroupRows * begin_[g]; }
  // Where the groups like group g end.
  int64_t end_of_alike(int64_t g) const { return end_of_alike_[size_t(g)]; }
  int64_t neighbours(int64_t g) const { return begin_[g + 1] - begin_[g]; }

  void find_columns(int64_t g) const {
    const int64_t count = neighbours(g);
    uint16_t* to = column_.get() + kGroupRows * begin_[g];
    for (int64_t r = 0; r < kGroupRows; ++r) {
      const int32_t* col = call_.col + call_.rowptr[row_at_[kGroupRows * g + r]];
      for (int64_t e = 0; e < count; ++e) to[kGroupRows * e + r] = place_[col[e]];
    }
  }

 private:
  static constexpr int64_t kMostRows = 32768, kMostGraphEntries = int64_t(1) << 20;
  static constexpr int64_t kMostGroups = (int64_t(1) << 16) / kGroupRows;  // places are uint16
  static constexpr int64_t kManyNeighbours = 255;

  static bool suits(const QgnnPropagation& c) {
    return c.isa > 0 && c.num_features <= 2 * kPartFeatures && c.num_bits <= 4 &&
           c.num_nodes <= kMostRows && c.num_nodes > 0 && c.rowptr[c.num_nodes] <= kMostGraphEntries &&
           c.num_steps > 1 && c.momentum == 0.0f && !c.truncated && !c.trace &&
           carried_bytes(c) == 2;
  }
  int64_t count_of(int64_t i) const { return call_.rowptr[i + 1] - call_.rowptr[i]; }

  void sort() {
    const int64_t n = call_.num_nodes;
    sorted_.reset(new int32_t[size_t(n)]);
    int32_t next[kManyNeighbours + 2] = {};
    const auto bin = [&](int64_t i) { return std::min(count_of(i), kManyNeighbours); };
    for (int64_t i = 0; i < n; ++i) ++next[bin(i) + 1];
    for (int64_t b = 0; b < kManyNeighbours; ++b) next[b + 1] += next[b];
    for (int64_t i = 0; i < n; ++i) sorted_[size_t(next[bin(i)]++)] = int32_t(i);
  }
  // None where many groups would lack rows, or sums may not fit into 16 bits.
  void make_groups() {
    const int64_t n = call_.num_nodes, most = std::min(n / 2 + 64, kMostGroups);
    const int64_t most_neighbours = 32767 / ((1 << call_.num_bits) - 1);
    place_.reset(new uint16_t[size_t(n)]);
    row_at_.reset(new int32_t[size_t(kGroupRows * most)]);
    begin_.reset(new int64_t[size_t(most + 1)]);
    end_of_alike_.reset(new int32_t[size_t(most)]);
    begin_[0] = 0;
    int64_t groups = 0;
    for (int64_t j = 0; j < n;) {
      const int64_t first = sorted_[size_t(j)], count = count_of(first), first_group = groups;
      const float inverse = call_.inv_degree[first];
      if (count > most_neighbours) return;
      int64_t place = kGroupRows * groups;
      for (; j < n; ++j, ++place) {
        const int32_t i = sorted_[size_t(j)];
        const bool alike = count_of(i) == count && call_.inv_degree[i] == inverse;
        if (i != first && !alike) break;  // the first is like itself even if it is NaN
        if (place == kGroupRows * most) return;
        place_[size_t(i)] = uint16_t(place);
        row_at_[size_t(place)] = i;
      }
      groups = (place + kGroupRows - 1) / kGroupRows;
      for (; place < kGroupRows * groups; ++place) row_at_[size_t(place)] = int32_t(first);
      for (int64_t g = first_group; g < groups; ++g) {
        begin_[size_t(g + 1)] = begin_[size_t(g)] + count;
        end_of_alike_[size_t(g)] = int32_t(groups);
      }
    }
    column_.reset(new uint16_t[size_t(kGroupRows * begin_[size_t(groups)])]);
    groups_ = groups;
  }

  const QgnnPropagation& call_;
  int64_t groups_ = 0;
  std::unique_ptr<int32_t[]> sorted_, row_at_, end_of_alike_;
  std::unique_ptr<uint16_t[]> place_, column_;
  std::unique_ptr<int64_t[]> begin_;  // [groups + 1]: neighbours of a row in the groups before
};

}  // namespace qgnn
