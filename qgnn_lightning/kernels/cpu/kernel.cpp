// Packed low-bit message passing on CPUs, as plain C functions. The same source is compiled once
// per instruction set, so that the paths cannot disagree; which one runs is chosen at run time.
// Build: g++ -O3 -shared -fPIC -ffp-contract=off kernel.cpp -o _qgnn_kernels.so
#include <algorithm>
#include <atomic>

#include "common.h"
#include "linear_weights.h"
#include "parallel.h"
#include "plan.h"
#include "row_order.h"
#include "workspace.h"

#pragma GCC diagnostic ignored "-Wpsabi"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // raised by GCC's own AVX-512 header
#endif
#if defined(__GNUC__) && !defined(__clang__)
// Without tree-pre, which leaves copies of the sums in the innermost loops.
#pragma GCC optimize("fp-contract=off", "no-trapping-math", "no-tree-pre")
#endif
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define QGNN_X86 1
#include <immintrin.h>
#endif

namespace qgnn {

#define QGNN_LEVEL 0
namespace portable {
#include "instruction_set.inc"
}  // namespace portable

#ifdef QGNN_X86
#undef QGNN_LEVEL
#define QGNN_LEVEL 1
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#include "instruction_set.inc"
}  // namespace avx2
#pragma GCC pop_options

#undef QGNN_LEVEL
#define QGNN_LEVEL 2
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512dq,avx512vl")
namespace avx512 {
#include "instruction_set.inc"
}  // namespace avx512
#pragma GCC pop_options

#undef QGNN_LEVEL
#define QGNN_LEVEL 3
#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
namespace avx512vnni {
#include "instruction_set.inc"
}  // namespace avx512vnni
#pragma GCC pop_options
#endif

struct Isa {
  const char* name;
  StepFunction (*step)(Mode mode, const QgnnPropagation& call, bool in_groups);
  SumFunction (*sum)(int64_t bits, int64_t row_bytes, bool weighted);
  LinearFunction (*linear)(const LinearPlan& plan);
  QuantizeFunction quantize;
};

constexpr Isa kIsas[] = {
    {"portable", portable::step_function, portable::sum_function, portable::linear_function, portable::quantize_rows},
#ifdef QGNN_X86
    {"avx2", avx2::step_function, avx2::sum_function, avx2::linear_function, avx2::quantize_rows},
    {"avx512", avx512::step_function, avx512::sum_function, avx512::linear_function, avx512::quantize_rows},
    {"avx512vnni", avx512vnni::step_function, avx512vnni::sum_function, avx512vnni::linear_function,
     avx512vnni::quantize_rows},
#endif
};
constexpr int64_t kNumIsas = sizeof(kIsas) / sizeof(kIsas[0]);

static bool runs_here(int64_t isa) {
#ifdef QGNN_X86
  __builtin_cpu_init();
  if (isa == 1) return __builtin_cpu_supports("avx2");
  if (isa == kVnni && !__builtin_cpu_supports("avx512vnni")) return false;
  if (isa >= 2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
#endif
  return isa == 0;
}

// Buffers of all workers for rows of `inputs` codes and `outputs` floats.
class LinearBuffers {
 public:
  LinearBuffers(int64_t threads, int64_t inputs, int64_t outputs)
      : inputs_(inputs), outputs_(round_up(outputs, 128) + 32),
        x_(size_t(threads * inputs)), packed_(size_t(threads * kLinearRows * inputs)),
        narrow_(size_t(threads * kLinearRows * inputs)),
        wide_(size_t(threads * kLinearRows * inputs)),
        totals_(size_t(threads * kLinearRows * outputs_)), y_(size_t(threads * outputs_)) {}
  LinearScratch of(int64_t w) {
    return {x_.data() + w * inputs_, packed_.data() + w * kLinearRows * inputs_,
            narrow_.data() + w * kLinearRows * inputs_, wide_.data() + w * kLinearRows * inputs_,
            totals_.data() + w * kLinearRows * outputs_, y_.data() + w * outputs_};
  }

 private:
  int64_t inputs_, outputs_;
  AlignedVector<float> x_;
  AlignedVector<uint8_t> packed_, narrow_;
  AlignedVector<int16_t> wide_;
  AlignedVector<int32_t> totals_;
  AlignedVector<float> y_;
};

// Remembers one of the problems that workers meet.
class Outcome {
 public:
  void note(Status status) {
    if (status != kDone) status_ = status;
  }
  Status get() const { return status_; }

 private:
  std::atomic<Status> status_{kDone};
};

static bool rows_are_well_formed(const QgnnLinear& c) {
  if (c.rowptr[0] != 0 || c.rowptr[c.num_rows] != c.num_entries) return false;
  bool wrong = false;
  for (int64_t i = 0; i < c.num_rows; ++i) {
    const int64_t begin = c.rowptr[i], end = c.rowptr[i + 1];
    const uint64_t size = uint64_t(end) - uint64_t(begin);  // large where it is negative
    wrong |= (begin < 0) | (end > c.num_entries) | (size > uint64_t(kMostEntries));
  }
  return !wrong;
}

static Status linear(const QgnnLinear& c) {
  if (c.rowptr && !rows_are_well_formed(c)) return kMalformed;
  const LinearPlan plan = c.laid_out->plan_of(c);
  if (c.out) advise_huge(c.out, size_t(c.num_rows * c.out_features) * sizeof(float));
  LinearBuffers buffers(c.num_threads, plan.stride, c.out_features);
  const LinearFunction run = kIsas[c.isa].linear(plan);
  const Partition blocks(c.rowptr, c.num_rows, 16 * c.num_threads);
  Outcome outcome;
  run_team(c.num_threads, 1, blocks.size(), [&](int64_t, int64_t b, int64_t w) {
    outcome.note(run(plan, blocks.begin(b), blocks.end(b), buffers.of(w)));
  });
  return outcome.get();
}

static Mode mode_of(const Step& s) {
  const QgnnPropagation& c = *s.call;
  if (c.momentum != 0.0f || c.truncated || (c.delta_sigma && c.num_steps == 1)) return kAny;
  const bool end = s.last || s.index < 0, narrow = carried_bytes(c) == 1;
  if (end && narrow) return kAny;
  if (end && c.delta_sigma) return s.last ? kLastDelta : kDeltaInput;
  if (end) return s.last ? kLast : kInput;
  if (!c.delta_sigma) return kDirect;
  return s.index == 0 && narrow ? kFirstDelta : kDelta;
}

// Many blocks for every thread, but none of a few short rows: those alike are computed together.
static Partition rows_of_graph(const int64_t* rowptr, int64_t rows, int64_t threads) {
  constexpr int64_t kLeastWork = 1024;
  return Partition(rowptr, rows, std::min(64 * threads, 1 + (rowptr[rows] + rows) / kLeastWork));
}

static Status propagate(const QgnnPropagation& c) {
  const int64_t k_steps = c.num_steps;
  Plan plan(c, c.num_threads);
  Workspace workspace(c.workspace ? 0 : plan.layout(nullptr));
  uint8_t* base = c.workspace ? c.workspace : workspace.data();
  if (!base) return kNoMemory;
  plan.layout(base);
  plan.fill();
  plan.fill_tables();
  const Partition blocks = plan.groups ? plan.groups->blocks()
                                       : rows_of_graph(c.rowptr, c.num_nodes, c.num_threads);
  advise_huge(c.out, size_t(c.num_nodes * c.num_features) * sizeof(float));
  const int64_t entries = c.rowptr[c.num_nodes];
  std::vector<const uint8_t*> history;
  for (int64_t k = 0; k < k_steps; ++k) history.push_back(plan.codes_of(k));
  std::vector<Step> steps;
  for (int64_t k = -1; k < k_steps; ++k) {
    const bool last = k == k_steps - 1;
    const uint8_t* now = k < 0 ? nullptr : plan.codes_of(k);
    uint8_t* next = last ? nullptr : plan.codes_of(k + 1);
    steps.push_back({&c, k, entries, plan.capacity, carried_row(c), plan.capacity != c.num_features,
                     last, now, next, plan.carried, plan.state, history.data(), plan.padding,
                     plan.groups, plan.tables});
  }
  std::vector<StepFunction> functions;
  for (const Step& s : steps) {
    functions.push_back(kIsas[c.isa].step(mode_of(s), c, plan.groups));
  }
  run_team(c.num_threads, k_steps + 1, blocks.size(), [&](int64_t s, int64_t b, int64_t worker) {
    if (s % 2) b = blocks.size() - 1 - b;  // back again: what was used last is still in the caches
    functions[size_t(s)](steps[size_t(s)], blocks.begin(b), blocks.end(b), plan.scratch(worker));
  });
  return kDone;
}

}  // namespace qgnn

extern "C" {

int64_t qgnn_abi_version() { return QGNN_ABI_VERSION; }
int64_t qgnn_num_isas() { return qgnn::kNumIsas; }
const char* qgnn_isa_name(int64_t isa) { return qgnn::kIsas[isa].name; }
int64_t qgnn_isa_runs_here(int64_t isa) { return qgnn::runs_here(isa); }
int64_t qgnn_release_workspace() { return qgnn::Workspace::release(); }

// The functions below return a qgnn::Status, but for the one that counts bytes.
int64_t qgnn_propagate(const QgnnPropagation* call) {
  try {
    return qgnn::propagate(*call);
  } catch (const std::bad_alloc&) {
    return qgnn::kNoMemory;
  }
}

int64_t qgnn_propagation_bytes(const QgnnPropagation* call) {
  try {
    return int64_t(qgnn::Plan(*call, call->num_threads).layout(nullptr));
  } catch (const std::bad_alloc&) {
    return 0;  // as if no workspace was given
  }
}

int64_t qgnn_order(const QgnnOrder* order) {
  try {
    qgnn::order_graph(*order);
    return qgnn::kDone;
  } catch (const std::bad_alloc&) {
    return qgnn::kNoMemory;
  }
}

// The rows of later calls with the graph, bits and form of this one; nullptr if they are not taken in
// groups. For qgnn_forget_row_groups.
const void* qgnn_make_row_groups(const QgnnPropagation* call) {
  try {
    return qgnn::GroupedRows::suits(*call) ? new qgnn::GroupedRows(*call) : nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void qgnn_forget_row_groups(const void* groups) { delete static_cast<const qgnn::GroupedRows*>(groups); }

// For qgnn_forget_linear_weights; nullptr: no memory.
const void* qgnn_make_linear_weights(const QgnnLinear* call) {
  try {
    return new qgnn::LinearWeights(*call);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void qgnn_forget_linear_weights(const void* weights) {
  delete static_cast<const qgnn::LinearWeights*>(weights);
}

int64_t qgnn_linear(const QgnnLinear* call) {
  try {
    return qgnn::linear(*call);
  } catch (const std::bad_alloc&) {
    return qgnn::kNoMemory;
  }
}

int64_t qgnn_network(const QgnnNetwork* call) {
  int64_t status = qgnn_linear(&call->encoder);
  if (status == qgnn::kDone) status = qgnn_linear(&call->classifier);
  return status == qgnn::kDone ? qgnn_propagate(&call->propagation) : status;
}

int64_t qgnn_quantize_pack(const float* x, int64_t num_rows, int64_t num_features, int64_t row_bytes,
                           int64_t bits, float inv_scale, int32_t zero_point, int32_t truncated,
                           int32_t shift, int64_t threads, int64_t isa, uint8_t* out) {
  try {
    const int64_t width = qgnn::round_up(num_features, 16);
    qgnn::AlignedVector<float> copies(size_t(threads * width));
    const qgnn::FloatGrid grid{inv_scale, zero_point, truncated, shift, bits, row_bytes};
    const qgnn::DenseRows rows{x, num_rows, num_features};
    const qgnn::Partition blocks(nullptr, num_rows, 16 * threads);
    qgnn::Outcome outcome;
    qgnn::run_team(threads, 1, blocks.size(), [&](int64_t, int64_t b, int64_t w) {
      const int64_t begin = blocks.begin(b);
      outcome.note(qgnn::kIsas[isa].quantize(grid, rows, begin, blocks.end(b),
                                             out + begin * row_bytes, copies.data() + w * width));
    });
    return outcome.get();
  } catch (const std::bad_alloc&) {
    return qgnn::kNoMemory;
  }
}

int64_t qgnn_neighbour_sum(const uint8_t* codes, const int64_t* rowptr, const int32_t* col,
                           const float* weight, int64_t num_rows, int64_t num_features,
                           int64_t row_bytes, int64_t bits, int64_t threads, int64_t isa, void* out) {
  try {
    const auto run = qgnn::kIsas[isa].sum(bits, row_bytes, weight != nullptr);
    const qgnn::Partition blocks = qgnn::rows_of_graph(rowptr, num_rows, threads);
    constexpr int64_t kSums = 128;
    std::vector<int32_t> scratch(size_t(threads * kSums));
    qgnn::run_team(threads, 1, blocks.size(), [&](int64_t, int64_t b, int64_t w) {
      run(codes, rowptr, col, weight, row_bytes, num_features, rowptr[num_rows], blocks.begin(b),
          blocks.end(b), out, scratch.data() + w * kSums);
    });
    return qgnn::kDone;
  } catch (const std::bad_alloc&) {
    return qgnn::kNoMemory;
  }
}

}  // extern "C"
