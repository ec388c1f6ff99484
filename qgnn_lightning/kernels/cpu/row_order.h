// The rows of a graph in windows of consecutive ones, each ordered by the number of neighbours: rows
// alike can be computed together, see alike.inc, and what lay together still does so.
#pragma once
#include <algorithm>

#include "common.h"
#include "parallel.h"

namespace qgnn {

constexpr int64_t kWindowRows = 2048;  // whose features stay in the caches
constexpr int64_t kToldApart = 255;  // rows of more neighbours stay as they come

// row_at[p]: the row at place p.
inline void order_windows(const int64_t* rowptr, int64_t rows, int32_t* row_at) {
  const auto bin = [&](int64_t i) { return std::min(rowptr[i + 1] - rowptr[i], kToldApart); };
  for (int64_t begin = 0; begin < rows; begin += kWindowRows) {
    const int64_t end = std::min(begin + kWindowRows, rows);
    int64_t next[kToldApart + 2] = {begin};
    for (int64_t i = begin; i < end; ++i) ++next[bin(i) + 1];
    for (int64_t b = 0; b < kToldApart; ++b) next[b + 1] += next[b];
    for (int64_t i = begin; i < end; ++i) row_at[next[bin(i)]++] = int32_t(i);
  }
}

// The graph with its nodes at these places.
inline void order_graph(const QgnnOrder& c) {
  const int64_t rows = c.num_nodes;
  order_windows(c.rowptr, rows, c.row_at);
  c.ordered_rowptr[0] = 0;
  for (int64_t p = 0; p < rows; ++p) {
    const int64_t i = c.row_at[p];
    c.place[i] = int32_t(p);
    c.ordered_rowptr[p + 1] = c.ordered_rowptr[p] + (c.rowptr[i + 1] - c.rowptr[i]);
  }
  const Partition blocks(c.ordered_rowptr, rows, 16 * c.num_threads);
  run_team(c.num_threads, 1, blocks.size(), [&](int64_t, int64_t b, int64_t) {
    for (int64_t p = blocks.begin(b); p < blocks.end(b); ++p) {
      const int64_t i = c.row_at[p];
      int32_t* to = c.ordered_col + c.ordered_rowptr[p];
      for (int64_t e = c.rowptr[i]; e < c.rowptr[i + 1]; ++e) *to++ = c.place[c.col[e]];
    }
  });
}

}  // namespace qgnn
