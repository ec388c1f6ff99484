// The rows of a graph whose state lies in the caches near to a core: in groups of four with as many
// neighbours and the same gain, so that a group shares registers and every branch.
#pragma once
#include <algorithm>
#include <memory>

#include "common.h"
#include "parallel.h"

namespace qgnn {

constexpr int64_t kPartFeatures = 8;  // of a row, that are taken at once
constexpr int64_t kGroupRows = 4;
constexpr int64_t kBlockGroups = 128;  // a block that is worth being shared out

inline int64_t parts_of(const QgnnPropagation& c) {
  return (c.num_features + kPartFeatures - 1) / kPartFeatures;
}

// The places of rows in the order of their number of neighbours. What the steps hand on lies at
// these places, [parts, places, kPartFeatures], with a byte for a code. A group that lacks rows takes
// its first one several times, which gives the same several times.
class GroupedRows {
 public:
  // Whether a call takes rows in this way, if they can be grouped.
  static bool suits(const QgnnPropagation& c) {
    return c.isa > 0 && c.num_features <= 2 * kPartFeatures && c.num_bits <= 4 &&
           c.num_nodes <= kMostRows && c.num_nodes > 0 && c.rowptr[c.num_nodes] <= kMostGraphEntries &&
           c.num_steps > 1 && c.momentum == 0.0f && !c.truncated && !c.trace &&
           carried_bytes(c) == 2;
  }
  // Keeps nothing of the call.
  explicit GroupedRows(const QgnnPropagation& c) {
    const std::unique_ptr<uint16_t[]> place(new uint16_t[size_t(c.num_nodes)]);
    make_groups(c, place.get());
    for (int64_t g = 0; g < groups_; ++g) find_columns(c, place.get(), g);
  }
  // None where many groups would lack rows, or sums may not fit into 16 bits.
  int64_t groups() const { return groups_; }
  int64_t places() const { return kGroupRows * groups_; }
  // Values of all rows.
  int64_t size(const QgnnPropagation& c) const { return parts_of(c) * places() * kPartFeatures; }
  // Of groups.
  Partition blocks() const { return Partition(begin_.get(), groups_, groups_ / kBlockGroups + 1); }
  const int32_t* row_at() const { return row_at_.get(); }
  // Columns of group g, as places: its rows side by side.
  const uint16_t* columns(int64_t g) const { return column_.get() + kGroupRows * begin_[g]; }
  // Where the groups like group g end.
  int64_t end_of_alike(int64_t g) const { return end_of_alike_[size_t(g)]; }
  int64_t neighbours(int64_t g) const { return begin_[g + 1] - begin_[g]; }

 private:
  static constexpr int64_t kMostRows = 32768, kMostGraphEntries = int64_t(1) << 20;
  static constexpr int64_t kMostGroups = (int64_t(1) << 16) / kGroupRows;  // places are uint16
  static constexpr int64_t kManyNeighbours = 255;

  static int64_t count_of(const QgnnPropagation& c, int64_t i) {
    return c.rowptr[i + 1] - c.rowptr[i];
  }
  // Rows by their number of neighbours, those of many as they come.
  static std::unique_ptr<int32_t[]> sorted(const QgnnPropagation& c) {
    const int64_t n = c.num_nodes;
    std::unique_ptr<int32_t[]> rows(new int32_t[size_t(n)]);
    int32_t next[kManyNeighbours + 2] = {};
    const auto bin = [&](int64_t i) { return std::min(count_of(c, i), kManyNeighbours); };
    for (int64_t i = 0; i < n; ++i) ++next[bin(i) + 1];
    for (int64_t b = 0; b < kManyNeighbours; ++b) next[b + 1] += next[b];
    for (int64_t i = 0; i < n; ++i) rows[size_t(next[bin(i)]++)] = int32_t(i);
    return rows;
  }
  void make_groups(const QgnnPropagation& c, uint16_t* place_of) {
    const auto rows = sorted(c);
    const int64_t n = c.num_nodes, most = std::min(n / 2 + 64, kMostGroups);
    const int64_t most_neighbours = 32767 / ((1 << c.num_bits) - 1);
    row_at_.reset(new int32_t[size_t(kGroupRows * most)]);
    begin_.reset(new int64_t[size_t(most + 1)]);
    end_of_alike_.reset(new int32_t[size_t(most)]);
    begin_[0] = 0;
    int64_t groups = 0;
    for (int64_t j = 0; j < n;) {
      const int64_t first = rows[size_t(j)], count = count_of(c, first), first_group = groups;
      const float inverse = c.inv_degree[first];
      if (count > most_neighbours) return;
      int64_t place = kGroupRows * groups;
      for (; j < n; ++j, ++place) {
        const int32_t i = rows[size_t(j)];
        const bool alike = count_of(c, i) == count && c.inv_degree[i] == inverse;
        if (i != first && !alike) break;  // the first is like itself even if it is NaN
        if (place == kGroupRows * most) return;
        place_of[size_t(i)] = uint16_t(place);
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
  void find_columns(const QgnnPropagation& c, const uint16_t* place_of, int64_t g) {
    const int64_t count = neighbours(g);
    uint16_t* to = column_.get() + kGroupRows * begin_[g];
    for (int64_t r = 0; r < kGroupRows; ++r) {
      const int32_t* col = c.col + c.rowptr[row_at_[kGroupRows * g + r]];
      for (int64_t e = 0; e < count; ++e) to[kGroupRows * e + r] = place_of[col[e]];
    }
  }

  int64_t groups_ = 0;
  std::unique_ptr<int32_t[]> row_at_, end_of_alike_;
  std::unique_ptr<uint16_t[]> column_;
  std::unique_ptr<int64_t[]> begin_;  // [groups + 1]: neighbours of a row in the groups before
};

}  // namespace qgnn
