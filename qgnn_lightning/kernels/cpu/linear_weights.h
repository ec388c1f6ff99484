// The weights of a linear map, laid out for the inner loops; see LinearPlan.
#pragma once
#include <algorithm>
#include <cstdlib>

#include "aligned.h"
#include "common.h"

namespace qgnn {

constexpr int32_t kLargestWeight = 255;  // as LinearWeight in Python checks

inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// Where an output's weights lie among the bytes of 32: the halves of two registers, widened, follow
// one another.
inline int64_t pair_place(int64_t o) {
  const int64_t quarter = o / 8 % 4, moved = quarter == 1 ? 2 : quarter == 2 ? 1 : quarter;
  return o / 32 * 32 + moved * 8 + o % 8;
}

class LinearWeights {
 public:
  // Of a call with these weights. Sparse rows read them where the call has them.
  LinearPlan plan_of(const QgnnLinear& c) const {
    LinearPlan p = plan_;
    p.call = &c;
    return p;
  }
  // Keeps nothing of the call.
  explicit LinearWeights(const QgnnLinear& c) {
    plan_.stride = c.x_row_bytes * lanes(int(c.x_bits));
    plan_.outputs = round_up(c.out_features, 2 * kOutputs);
    if (c.sparse) {
      copy_epilogue(c);
      const int32_t top = c.x_stride * ((1 << c.x_bits) - 1) - c.x_zero_point;
      plan_.block = 32767 / (kLargestWeight * std::max({1, top, c.x_zero_point}));
      return;
    }
    int32_t limit = 1, range = 0;
    moved_.assign(size_t(round_up(plan_.outputs, kPairOutputs)), 0);
    for (int64_t o = 0; o < c.out_features; ++o) {
      const int16_t* row = codes_of(c, o);
      const auto [low, high] = std::minmax_element(row, row + c.in_features);
      limit = std::max({limit, std::abs(int32_t(*low)), std::abs(int32_t(*high))});
      range = std::max(range, int32_t(*high) - int32_t(*low));
      moved_[size_t(o)] = *high > 127 ? *high - 127 : std::min(*low + 128, 0);
    }
    const bool in_bytes = c.isa >= kVnni && range <= 255;
    // 9 bounds a product of centred codes: 16 bits hold sums of this many; a pair costs about 2/3
    const int64_t paired_outputs = round_up(c.out_features, kPairOutputs);
    const bool in_pairs = c.isa > 0 && !in_bytes && c.x_bits == 2 && c.x_stride == 1 && range <= 3 &&
                          limit <= 3 && c.in_features <= 32767 / 9 &&
                          2 * paired_outputs <= 3 * plan_.outputs;
    if (in_pairs) plan_.outputs = paired_outputs;
    copy_epilogue(c);
    plan_.block = limit <= 127 ? 32767 / (2 * ((1 << c.x_bits) - 1) * limit) : 0;
    const bool move = std::any_of(moved_.begin(), moved_.end(), [](int32_t m) { return m != 0; });
    if (in_bytes && move) plan_.moved = moved_.data();
    if (in_pairs) fill_pairs(c);
    else if (plan_.block >= 2 || in_bytes) plan_.narrow = fill(c, narrow_);
    else plan_.wide = fill(c, wide_), plan_.block = plan_.steps;
  }
  LinearWeights(const LinearWeights&) = delete;
  LinearWeights& operator=(const LinearWeights&) = delete;

 private:
  LinearPlan plan_{};  // without a call
  // Of an output.
  static const int16_t* codes_of(const QgnnLinear& c, int64_t o) {
    return static_cast<const int16_t*>(c.weight) + o * c.in_features;
  }
  void copy_epilogue(const QgnnLinear& c) {
    const size_t padded = size_t(round_up(c.out_features, kPaddedOutputs));
    offset_.assign(padded, 0);
    factor_.assign(padded, 0.0f);
    bias_.assign(padded, -0.0f);  // adding it changes nothing, not even the sign of a zero
    std::copy_n(c.factor, c.out_features, factor_.data());
    if (c.bias) std::copy_n(c.bias, c.out_features, bias_.data());
    for (int64_t o = 0; !c.sparse && o < c.out_features; ++o) {
      for (int64_t i = 0; i < c.in_features; ++i) {
        offset_[size_t(o)] += int32_t(codes_of(c, o)[i]) * c.x_zero_point;
      }
    }
    plan_.offset = offset_.data();
    plan_.factor = factor_.data();
    plan_.bias = bias_.data();
    plan_.factor_of_totals = c.sparse ? 1 : c.x_stride;
  }

  template <class T>
  const T* fill(const QgnnLinear& c, AlignedVector<T>& weights) {
    constexpr int64_t kInputs = 4 / sizeof(T);
    const int64_t together = c.isa >= kVnni && sizeof(T) == 1 ? 2 * kOutputs : kOutputs;
    plan_.steps = (c.in_features + kInputs - 1) / kInputs;
    weights.assign(size_t(plan_.outputs * plan_.stride), 0);
    for (int64_t o = 0; o < c.out_features; ++o) {
      const int32_t moved = plan_.moved ? plan_.moved[o] : 0;
      for (int64_t i = 0; i < c.in_features; ++i) {
        const int64_t group = o / together * (plan_.stride / kInputs) + i / kInputs;
        const int64_t to = (group * together + o % together) * kInputs + i % kInputs;
        weights[size_t(to)] = T(codes_of(c, o)[i] - moved);
      }
    }
    return weights.data();
  }

  void fill_pairs(const QgnnLinear& c) {
    const int64_t row_bytes = c.x_row_bytes, pairs = 2 * row_bytes;
    pairs_.assign(size_t(plan_.outputs * pairs), 0);
    least_.assign(size_t(plan_.outputs), 0);
    zero_sums_.assign(size_t(plan_.outputs), 0);
    mask_.assign(size_t(row_bytes), 0);
    for (int64_t i = 0; i < c.in_features; ++i) {
      mask_[size_t(i % row_bytes)] |= uint8_t(3 << (2 * (i / row_bytes)));
    }
    for (int64_t o = 0; o < c.out_features; ++o) {
      const int16_t* row = codes_of(c, o);
      const int16_t least = *std::min_element(row, row + c.in_features);
      least_[size_t(o)] = least;
      zero_sums_[size_t(o)] = int16_t(offset_[size_t(o)]);
      uint8_t* group = pairs_.data() + o / kPairOutputs * kPairOutputs * pairs;
      for (int64_t i = 0; i < c.in_features; ++i) {
        const int64_t lane = i / row_bytes, pair = lane / 2 * row_bytes + i % row_bytes;
        const int64_t at = pair * kPairOutputs + pair_place(o % kPairOutputs);
        group[at] |= uint8_t((row[i] - least) << (2 * (lane % 2)));
      }
    }
    plan_.pairs = pairs_.data();
    plan_.least = least_.data();
    plan_.zero_sums = zero_sums_.data();
    plan_.mask = mask_.data();
  }

  AlignedVector<int8_t> narrow_;
  AlignedVector<int16_t> wide_, least_, zero_sums_;
  AlignedVector<uint8_t> pairs_, mask_;
  AlignedVector<int32_t> offset_, moved_;
  AlignedVector<float> factor_, bias_;
};

}  // namespace qgnn
