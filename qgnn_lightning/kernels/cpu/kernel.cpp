// Packed low-bit message passing on CPUs, as plain C functions. The same source is compiled once
// per instruction set, so that the paths cannot disagree; which one runs is chosen at run time.
// Build: g++ -O3 -shared -fPIC -ffp-contract=off kernel.cpp -o _qgnn_kernels.so
#include "common.h"
#include "parallel.h"

#pragma GCC diagnostic ignored "-Wpsabi"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#endif
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define QGNN_X86 1
#include <immintrin.h>
#endif

namespace qgnn {

#define QGNN_LEVEL 0
namespace portable {
#include "lanes.inc"
#include "gather.inc"
#include "propagate.inc"
#include "sum.inc"
#include "linear.inc"
}  // namespace portable

#ifdef QGNN_X86
#undef QGNN_LEVEL
#define QGNN_LEVEL 1
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "lanes.inc"
#include "gather.inc"
#include "propagate.inc"
#include "sum.inc"
#include "linear.inc"
}  // namespace avx2
#pragma GCC pop_options

#undef QGNN_LEVEL
#define QGNN_LEVEL 2
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512dq,avx512vl")
namespace avx512 {
#include "lanes.inc"
#include "gather.inc"
#include "propagate.inc"
#include "sum.inc"
#include "linear.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

struct Isa {
  const char* name;
  StepFunction (*step)(Mode mode, int64_t bits, bool truncated, int64_t row_bytes);
  SumFunction (*sum)(int64_t bits, int64_t row_bytes, bool weighted);
  LinearFunction (*linear)(bool sparse);
};

constexpr Isa kIsas[] = {
    {"portable", portable::step_function, portable::sum_function, portable::linear_function},
#ifdef QGNN_X86
    {"avx2", avx2::step_function, avx2::sum_function, avx2::linear_function},
    {"avx512", avx512::step_function, avx512::sum_function, avx512::linear_function},
#endif
};
constexpr int64_t kNumIsas = sizeof(kIsas) / sizeof(kIsas[0]);

static bool runs_here(int64_t isa) {
#ifdef QGNN_X86
  __builtin_cpu_init();
  if (isa == 1) return __builtin_cpu_supports("avx2");
  if (isa == 2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
#endif
  return isa == 0;
}

static size_t padded(size_t bytes) { return (bytes + 127) / 64 * 64; }

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
  void* residual = nullptr;
  float *state = nullptr, *rows = nullptr;
  uint8_t* padding = nullptr;

  Plan(const QgnnPropagation& c, int64_t threads)
      : call(c), capacity(c.row_bytes * lanes(int(c.num_bits))), workers(threads) {}

  bool keeps_history() const { return call.delta_sigma != 0; }
  size_t layout(uint8_t* base) {
    Arena arena{base};
    const size_t n = size_t(call.num_nodes);
    padding = arena.take<uint8_t>(size_t(call.row_bytes));
    rows = arena.take<float>(size_t(2 * workers * capacity));
    if (!call.trace) {
      const size_t copies = keeps_history() ? size_t(call.num_steps) : 2;
      codes = arena.take<uint8_t>(copies * n * size_t(call.row_bytes));
    }
    if (call.delta_sigma) {
      residual = arena.take<uint8_t>(n * size_t(capacity * (call.residual_bits / 8)));
    }
    if (call.momentum != 0.0f) state = arena.take<float>(n * size_t(capacity));
    return arena.used;
  }
  uint8_t* codes_of(int64_t k) const {
    const int64_t size = call.num_nodes * call.row_bytes;
    if (call.trace) return call.trace + k * size;
    return codes + (keeps_history() ? k : k % 2) * size;
  }
  void fill() {
    for (int64_t i = 0; i < 2 * workers * capacity; ++i) rows[i] = 0.0f;
    for (int64_t j = 0; j < call.row_bytes; ++j) padding[j] = 0;
    for (int64_t f = 0; f < call.num_features; ++f) {
      const int lane = int(f / call.row_bytes), bits = int(call.num_bits);
      padding[f % call.row_bytes] |= uint8_t(((1 << bits) - 1) << (bits * lane));
    }
  }
  RowScratch scratch(int64_t worker) const {
    float* x = rows + 2 * worker * capacity;
    return {x, x + capacity};
  }
};

// Weights laid out for the inner loops; see LinearPlan.
struct LinearWeights {
  std::vector<int8_t> narrow;
  std::vector<int16_t> wide;
  std::vector<int32_t> offset;
  LinearPlan plan;

  explicit LinearWeights(const QgnnLinear& c) : plan{&c, nullptr, nullptr, nullptr, 0, 0} {
    if (!c.x) return;
    plan.stride = c.x_row_bytes * lanes(int(c.x_bits));
    const int64_t largest_pair = 2 * ((1 << c.x_bits) - 1) * (c.weight_limit > 0 ? c.weight_limit : 1);
    plan.block = c.weight_limit <= 127 ? 32767 / largest_pair : 0;
    const size_t size = size_t((c.out_features + 3) / 4 * 4 * plan.stride);
    plan.block >= 2 ? narrow.assign(size, 0) : wide.assign(size, 0);
    offset.assign(size_t(c.out_features), 0);
    for (int64_t o = 0; o < c.out_features; ++o) {
      for (int64_t i = 0; i < c.in_features; ++i) {
        const int16_t w = c.weight[o * c.in_features + i];
        const size_t at = size_t(o * plan.stride + i);
        if (plan.block >= 2) narrow[at] = int8_t(w);
        else wide[at] = w;
        offset[size_t(o)] += int32_t(w) * c.x_zero_point;
      }
    }
    plan.narrow = narrow.empty() ? nullptr : narrow.data();
    plan.wide = wide.data();
    plan.offset = offset.data();
  }
};

static int linear(const QgnnLinear& c) {
  const LinearWeights weights(c);
  const size_t threads = size_t(c.num_threads), outputs = size_t(c.out_features + 3) / 4 * 4;
  const size_t inputs = size_t(weights.plan.stride);
  std::vector<uint8_t> narrow(threads * inputs);
  std::vector<int16_t> wide(threads * inputs);
  std::vector<int32_t> totals(threads * outputs);
  std::vector<float> y(threads * outputs);
  const LinearFunction run = kIsas[c.isa].linear(c.x == nullptr);
  const Partition blocks(c.x ? nullptr : c.rowptr, c.num_rows, 16 * c.num_threads);
  run_team(c.num_threads, 1, blocks.size(), [&](int64_t, int64_t b, int64_t worker) {
    const size_t w = size_t(worker);
    run(weights.plan, blocks.begin(b), blocks.end(b),
        {narrow.data() + w * inputs, wide.data() + w * inputs, totals.data() + w * outputs,
         y.data() + w * outputs});
  });
  return 0;
}

static Mode mode_of(const Step& s) {
  const QgnnPropagation& c = *s.call;
  if (s.last || s.index < 0 || c.momentum != 0.0f) return kAny;
  if (!c.delta_sigma) return kDirect;
  if (s.index == 0) return kAny;
  return c.residual_bits == 8 ? kDelta8 : kDelta16;
}

static int propagate(const QgnnPropagation& c) {
  const int64_t k_steps = c.num_steps;
  Plan plan(c, c.num_threads);
  Workspace workspace(plan.layout(nullptr));
  if (!workspace.data()) return 2;
  plan.layout(workspace.data());
  plan.fill();
  std::vector<const uint8_t*> history;
  for (int64_t k = 0; k < k_steps; ++k) history.push_back(plan.codes_of(k));
  std::vector<Step> steps;
  for (int64_t k = -1; k < k_steps; ++k) {
    const bool last = k == k_steps - 1;
    steps.push_back({&c, k, c.rowptr[c.num_nodes], plan.capacity, plan.capacity != c.num_features,
                     last, k < 0 ? nullptr : plan.codes_of(k), last ? nullptr : plan.codes_of(k + 1),
                     plan.residual, plan.state, history.data(), plan.padding, nullptr});
  }
  std::vector<StepFunction> functions;
  for (const Step& s : steps) {
    functions.push_back(kIsas[c.isa].step(mode_of(s), c.num_bits, c.truncated != 0, c.row_bytes));
  }
  const Partition blocks(c.rowptr, c.num_nodes, 64 * c.num_threads);
  run_team(c.num_threads, k_steps + 1, blocks.size(), [&](int64_t s, int64_t b, int64_t worker) {
    functions[size_t(s)](steps[size_t(s)], blocks.begin(b), blocks.end(b), plan.scratch(worker));
  });
  return 0;
}

}  // namespace qgnn

extern "C" {

int64_t qgnn_abi_version() { return QGNN_ABI_VERSION; }
int64_t qgnn_num_isas() { return qgnn::kNumIsas; }
const char* qgnn_isa_name(int64_t isa) { return qgnn::kIsas[isa].name; }
int64_t qgnn_isa_runs_here(int64_t isa) { return qgnn::runs_here(isa); }
int64_t qgnn_release_workspace() { return qgnn::Workspace::release(); }

// Returns 0, or 2 when memory runs out.
int64_t qgnn_propagate(const QgnnPropagation* call) {
  try {
    return qgnn::propagate(*call);
  } catch (const std::bad_alloc&) {
    return 2;
  }
}

int64_t qgnn_linear(const QgnnLinear* call) {
  try {
    return qgnn::linear(*call);
  } catch (const std::bad_alloc&) {
    return 2;
  }
}

int64_t qgnn_neighbour_sum(const uint8_t* codes, const int64_t* rowptr, const int32_t* col,
                           const float* weight, int64_t num_rows, int64_t num_features,
                           int64_t row_bytes, int64_t bits, int64_t threads, int64_t isa, void* out) {
  try {
    const auto run = qgnn::kIsas[isa].sum(bits, row_bytes, weight != nullptr);
    const qgnn::Partition blocks(rowptr, num_rows, 64 * threads);
    constexpr int64_t kSums = 128;
    std::vector<int32_t> scratch(size_t(threads * kSums));
    qgnn::run_team(threads, 1, blocks.size(), [&](int64_t, int64_t b, int64_t w) {
      run(codes, rowptr, col, weight, row_bytes, num_features, rowptr[num_rows], blocks.begin(b),
          blocks.end(b), out, scratch.data() + w * kSums);
    });
    return 0;
  } catch (const std::bad_alloc&) {
    return 2;
  }
}

}  // extern "C"
