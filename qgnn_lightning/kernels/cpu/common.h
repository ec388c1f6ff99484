// What every instruction set shares: the argument records of the C interface, and vector types.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#define QGNN_INLINE inline __attribute__((always_inline))

// Increase when a record below or the meaning of an argument changes; the loader compares it.
#define QGNN_ABI_VERSION 10

namespace qgnn {
class GroupedRows;
class LinearWeights;
}  // namespace qgnn

extern "C" {

// One call of the K-step propagation. Mirrored field by field by cpu/_loader.py.
struct QgnnPropagation {
  int64_t num_nodes, num_features, row_bytes, num_bits;
  int64_t num_steps, delta_sigma, residual_bits, truncated;
  int64_t num_threads, isa;
  const int64_t* rowptr;
  const int32_t* col;
  const float *inv_degree, *inv_sqrt_degree, *sqrt_degree;
  // nullptr, or [num_nodes], where the graph is in another order than x0 and out: the row of these
  // that lies at a place, and the place of a row.
  const int32_t *row_at, *place;
  const float* x0;
  float* out;
  uint8_t* trace;      // nullptr, or [num_steps, num_nodes, row_bytes]
  uint8_t* workspace;  // nullptr, or qgnn_propagation_bytes of the caller's
  const qgnn::GroupedRows* groups;  // nullptr, or what qgnn_make_row_groups returned
  // Constants of the steps, [num_steps] each; `ratio` takes what a step carries to the units of the
  // next: the residual (1 where the step carries it in these already), or the input's share.
  const float *scale, *inv_scale, *gain, *unit, *inv_unit, *message_gain;
  const double* ratio;
  const int32_t *zero_point, *shift;
  float momentum, restart, start, inv_restart_unit;
};

// A graph, and where to write it in another order. Mirrored by cpu/_loader.py.
struct QgnnOrder {
  int64_t num_nodes, num_threads;
  const int64_t* rowptr;
  const int32_t* col;
  int32_t *row_at, *place;  // [num_nodes], as above
  int64_t* ordered_rowptr;
  int32_t* ordered_col;
};

// One call of the low-bit linear map. Mirrored field by field by cpu/_loader.py.
struct QgnnLinear {
  int64_t num_rows, in_features, out_features, x_bits, x_row_bytes;
  int64_t relu, out_bits, out_row_bytes, num_threads, isa;
  int64_t sparse, num_entries, col_bytes, weight_bytes;
  const uint8_t* x;             // packed codes [num_rows, x_row_bytes]
  const float* dense;           // instead of these: floats [num_rows, in_features]
  const int64_t* rowptr;        // sparse: rows of floats, not checked by the caller
  const void* col;              // [num_entries], of col_bytes: int32 or int64
  const float* value;
  const void* weight;           // centred int16 [out_features, in_features]; sparse: transposed, of
                                // weight_bytes: int8 or int16
  const float *factor, *bias;   // [out_features]; bias may be nullptr
  const qgnn::LinearWeights* laid_out;  // what qgnn_make_linear_weights returned for this record
  float* out;                   // [num_rows, out_features], or nullptr
  uint8_t* packed;              // [num_rows, out_row_bytes], or nullptr
  int32_t x_zero_point, x_stride, x_shift, out_zero_point;
  float x_inv_scale, out_inv_scale;
};

// A whole network: features to class scores, which are propagated. The second map reads what the
// first one packs, the propagation what the second one returns. Mirrored by cpu/_loader.py.
struct QgnnNetwork {
  QgnnLinear encoder, classifier;
  QgnnPropagation propagation;
};

}  // extern "C"

namespace qgnn {

// How far ahead memory is asked for: in entries of the adjacency, in rows, and in rows of the last
// step, which reads a little of many arrays. Where rows are alike, it is rows and columns. In bytes, of
// rows of floats between whose reading much is computed.
constexpr int kPrefetchDistance = 96;
constexpr int kRegisterRows = 4;  // rows of neighbours that share a register, at most
constexpr int kRowsAhead = 10;
constexpr int kAlikeAhead = 20;
constexpr int kColumnsAhead = 768;
constexpr int kLastRowsAhead = 8;
constexpr int kFloatBytesAhead = 8192;
constexpr int kTableSize = 16;

constexpr int lanes(int bits) { return 8 / bits; }
// Entries of a row whose products with weights, 255 * 255 at most, can be summed in 32 bits; as
// validation.py has it.
constexpr int64_t kMostEntries = int64_t(1) << 15;
// Neighbours whose codes can be summed in bytes (2 bits) or 16-bit elements (4 and 8 bits).
constexpr int64_t lane_limit(int bits) { return bits == 2 ? 85 : bits == 4 ? 4369 : 257; }

inline int64_t row_at(const QgnnPropagation& c, int64_t i) { return c.row_at ? c.row_at[i] : i; }
inline int64_t place_of(const QgnnPropagation& c, int64_t row) {
  return c.place ? c.place[row] : row;
}

// Bytes of a value that the steps carry on: the residual, or the input's share.
inline int64_t carried_bytes(const QgnnPropagation& c) {
  return c.delta_sigma ? c.residual_bits / 8 : 2;
}

// Values of a row that the steps carry on: a row of one chunk needs no room for lanes it lacks.
inline int64_t carried_row(const QgnnPropagation& c) {
  if (c.row_bytes <= 32) return (c.num_features + 15) / 16 * 16;
  return c.row_bytes * lanes(int(c.num_bits));
}

// Fraction bits of fixed point, by the bits of the levels.
inline int32_t fraction_bits(const QgnnPropagation& c) {
  return 12 - int32_t(c.truncated ? 8 : c.num_bits);
}

// How a step is computed: as any can be, or in 16 bits where it adds nothing but sums of codes.
// The first delta-sigma step is one apart where residuals are narrow: of 8 bits.
enum Mode { kAny, kInput, kDirect, kLast, kDeltaInput, kFirstDelta, kDelta, kLastDelta };

// What one worker needs to compute a range of rows of one step, or of groups of rows.
struct Step {
  const QgnnPropagation* call;
  int64_t index;              // k, or -1: quantize the input only
  int64_t num_entries;
  int64_t capacity, carried_row;  // codes of a row, and what it carries, see carried_row()
  bool ragged, last;
  const uint8_t* codes;       // codes of step k
  uint8_t* next;              // codes of step k + 1, nullptr in the last step
  void* carried;              // what the steps hand on, [num_nodes, carried_row] int8 or int16
  float* state;               // momentum != 0: [num_nodes, capacity]
  const uint8_t* const* history;  // delta-sigma, last step: the codes of every step
  const uint8_t* padding;     // [row_bytes] mask of the bits that belong to features
  const GroupedRows* groups;  // the order in which rows lie there, or nullptr
  const float* tables;        // [num_steps, kTableSize]: 2 bits: reals of the codes, repeated
};

struct RowScratch {
  float *x, *out;             // [capacity] padded copies of one row
};

using StepFunction = void (*)(const Step&, int64_t begin, int64_t end, const RowScratch&);
using SumFunction = void (*)(const uint8_t* codes, const int64_t* rowptr, const int32_t* col,
                             const float* weight, int64_t row_bytes, int64_t num_features,
                             int64_t num_entries, int64_t begin, int64_t end, void* out,
                             int32_t* scratch);

// The first instruction set that adds products of bytes in 32 bits.
constexpr int64_t kVnni = 3;

// Rows and outputs that the linear map takes at once.
constexpr int kLinearRows = 4;
constexpr int kOutputs = 8;
constexpr int kPairOutputs = 64;
constexpr int kPaddedOutputs = 32;

// Weights as the inner loops read them, in one of three forms, zero beyond in_features and
// out_features. Rows have `stride` inputs; `outputs` are padded for the loops. `narrow`: products of
// 8 bits, added four at a time in 32 bits where the processor can (VNNI), else in pairs, of which
// `block` products fit into 16 bits (sparse rows: `block` products as they are, 0 where not one
// does). `pairs`: codes of 2 bits, and 2-bit weights as codes above the `least` weight of their
// output; pair i is the inputs whose codes share half i / row_bytes of byte i % row_bytes, low half
// first.
struct LinearPlan {
  const QgnnLinear* call;
  const int8_t* narrow;   // [outputs / kOutputs, stride / 4, kOutputs, 4]; VNNI: 2 * kOutputs
  const int16_t* wide;    // [outputs / kOutputs, stride / 2, kOutputs, 2]
  const uint8_t* pairs;   // [outputs / kPairOutputs, 2 * row_bytes, kPairOutputs], see pair_place
  const int16_t *least, *zero_sums;  // [outputs], zero_sums: offset in 16 bits
  const uint8_t* mask;    // [row_bytes], the bits that belong to inputs
  const int32_t* moved;   // [outputs]: what narrow weights lack, so that they fit into bytes
  const int32_t* offset;  // x_zero_point times the sum of a row of weights; like the next two,
  const float* factor;    // with zeros up to a multiple of kPaddedOutputs
  const float* bias;
  int64_t stride, block, steps, outputs;  // steps: groups of 4 or 2 inputs that are not all zero
  int32_t factor_of_totals;  // what the totals lack of centred codes: the stride of packed codes
};

struct LinearScratch {
  float* x;
  uint8_t *packed, *narrow;
  int16_t* wide;
  int32_t* totals;
  float* y;
};

// The grid on which rows of floats become packed codes.
struct FloatGrid {
  float inv_scale;
  int32_t zero_point, truncated, shift;
  int64_t bits, row_bytes;
};

// What a function of the C interface returns.
enum Status { kDone = 0, kNoMemory = 2, kNotFinite = 3, kMalformed = 4 };

// A matrix of floats.
struct DenseRows {
  const float* at;
  int64_t num_rows, features;
};

// Packs rows begin to end at `out`; `copy` has room for a row, in sixteens.
using QuantizeFunction = Status (*)(const FloatGrid&, const DenseRows& x, int64_t begin, int64_t end,
                                  uint8_t* out, float* copy);
using LinearFunction = Status (*)(const LinearPlan&, int64_t begin, int64_t end,
                                  const LinearScratch&);

}  // namespace qgnn
