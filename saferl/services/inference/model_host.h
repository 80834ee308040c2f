#pragma once
// ModelHost: the model versions that this process serves. Any number of versions of a model are
// loaded side by side; a name, a version or an alias finds one; loading, unloading and moving an
// alias swap one pointer, so that a request sees either the old state or the new one, and what runs
// on an old version finishes on it.
//
// A version is a package (our kernels) or an ONNX model, which ONNX Runtime computes: its library
// is loaded with the first of them, so that who has none spends nothing on it. A version is ready
// only after its package's digest and golden vectors were verified; a failed load leaves what was
// served before. Versions are texts of [A-Za-z0-9._-]; without a version the alias "champion"
// decides, else the newest (numbers by value). Memory: at most `budget_bytes` of models; above it,
// versions that were not used for the longest time are evicted first, never those with an alias, of
// a rollout, with a sequence that goes on, or the newest of a model without a champion. An evicted
// version is loaded again by the request that asks for it (Resolve); Find, which is what control
// uses, never loads. Errors: kInvalidArgument (package, names), kNotFound, kResourceExhausted
// (budget). Safe from any thread; Find() takes no lock that a load holds. RT: no (the control path
// has its own policy).

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/policy/drift.h"
#include "saferl/policy/onnx_runtime.h"
#include "saferl/policy/policy.h"
#include "saferl/services/inference/infer_message.h"
#include "saferl/services/inference/model_source.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::services {

/// A count and the time it took together.
struct Tally {
  std::atomic<uint64_t> count{0}, ns{0};
  void Add(int64_t duration_ns, uint64_t times = 1) {
    count.fetch_add(times, std::memory_order_relaxed);
    ns.fetch_add(static_cast<uint64_t>(duration_ns), std::memory_order_relaxed);
  }
};

/// The statistics extension's counters, of one version since it was loaded.
struct ModelStatistics {
  Tally success, fail, queue, compute_input, compute_infer, compute_output;
  std::atomic<uint64_t> inference_count{0}, execution_count{0}, last_inference_ms{0};
};

struct TensorSpec {
  std::string name;
  DataType type = DataType::kFp32;
  std::vector<int64_t> shape;  ///< -1: any size (the batch)
};

/// One loaded version. Immutable but for its counters.
struct ServedModel {
  std::string name, version, sha256;
  std::string platform;  ///< "saferl_policy" or "onnxruntime_onnx"
  std::string backend;   ///< "saferl" or "onnxruntime"
  TensorSpec input, output;
  std::shared_ptr<const policy::Policy> policy;        ///< of a package, else null
  std::unique_ptr<const policy::OnnxSession> session;  ///< of an ONNX model, else null
  std::unique_ptr<policy::DriftDetector> drift;        ///< null: no_drift says why
  std::shared_ptr<policy::DriftStream> requests;       ///< drift's, of requests; else null
  std::string no_drift;                                ///< why there is no detector
  uint64_t bytes = 0;
  mutable ModelStatistics statistics;
  mutable std::atomic<int64_t> used_ns{0};
  mutable std::atomic<int> sequences{0};        ///< that go on; with some it is not evicted
  mutable std::atomic<int64_t> cost_ns{0};      ///< of a request of one row, as measured lately
  mutable std::atomic<int64_t> row_cost_ns{0};  ///< of each row where there are more; 0: not yet
  std::unique_ptr<telemetry::ModelMetrics> metrics;
  ~ServedModel();
};

/// A line of the repository index.
struct IndexEntry {
  std::string name, version, state, reason;  ///< state: READY or UNAVAILABLE
  std::vector<std::string> aliases;
  bool evicted = false;
};

class ModelHost {
 public:
  ModelHost(telemetry::Metrics* metrics, uint64_t budget_bytes)
      : metrics_(metrics), budget_bytes_(budget_bytes), table_(std::make_shared<const Table>()) {}

  /// Before the first load.
  void SetOnnxRuntime(policy::OnnxRuntimeOptions options) { onnx_options_ = std::move(options); }

  void SetDrift(const policy::DriftOptions& options) { drift_options_ = options; }

  Status Load(const std::string& name, const std::string& version, std::string_view bytes,
              ModelFormat format = ModelFormat::kPackage);
  /// Every version that the source has, in one swap: new ones are added, changed ones replaced,
  /// those that are gone unloaded; an unchanged one stays as it is. When one does not verify,
  /// nothing changes.
  Status LoadAll(const std::string& name, ModelSource* source);
  /// One version, or all when `version` is empty.
  Status Unload(const std::string& name, const std::string& version = "");
  /// Moves or makes an alias; an empty version removes it.
  Status SetAlias(const std::string& name, const std::string& alias, const std::string& version);

  /// Versions of a rollout: not evicted, in place of those named before.
  void Pin(const std::string& name, const std::set<std::string>& versions);
  /// Loads an evicted version again. Before the first request.
  using Reload = std::function<Status(const std::string& name, const std::string& version)>;
  void SetReload(Reload reload) { reload_ = std::move(reload); }

  /// Version, alias, or empty for the default; nullptr when it is not loaded.
  std::shared_ptr<const ServedModel> Find(std::string_view name, std::string_view version) const;
  /// Find, or kNotFound or kUnavailable with what there is instead.
  StatusOr<std::shared_ptr<const ServedModel>> Resolve(std::string_view name,
                                                       std::string_view version) const;
  /// Every loaded version, of one model or of all ("").
  StatusOr<std::vector<std::shared_ptr<const ServedModel>>> Matching(
      std::string_view name, std::string_view version) const;
  bool HasModel(std::string_view name) const;
  /// Loaded versions of a model, oldest first.
  std::vector<std::string> Versions(std::string_view name) const;
  std::vector<std::string> Names() const;
  std::vector<IndexEntry> Index() const;

 private:
  struct Model {
    std::map<std::string, std::shared_ptr<const ServedModel>, std::less<>> versions;
    std::map<std::string, std::string, std::less<>> aliases;
    std::map<std::string, std::string, std::less<>> failed;  ///< version -> why
    std::set<std::string, std::less<>> pinned, evicted;
  };
  using Table = std::map<std::string, Model, std::less<>>;
  std::shared_ptr<const Table> table() const { return table_.load(std::memory_order_acquire); }
  void Publish(Table table) {
    table_.store(std::make_shared<const Table>(std::move(table)), std::memory_order_release);
  }
  StatusOr<std::shared_ptr<ServedModel>> MakeServed(const std::string& name,
                                                    const std::string& version,
                                                    std::string_view bytes, ModelFormat format);
  Status ReadOnnx(std::string_view bytes, const std::string& source, ServedModel* model);
  static Status MakeRoom(const ServedModel& coming, uint64_t budget, Table* table);

  /// The evicted version that a name stands for; empty: none.
  std::string Evicted(std::string_view name, std::string_view version) const;

  telemetry::Metrics* metrics_;
  uint64_t budget_bytes_;
  Reload reload_;
  std::mutex change_;  ///< one change at a time
  policy::OnnxRuntimeOptions onnx_options_;
  policy::DriftOptions drift_options_;
  std::shared_ptr<const policy::OnnxRuntime> onnx_;  ///< null until the first ONNX model
  std::atomic<std::shared_ptr<const Table>> table_;
};

inline constexpr int64_t kMaxRows = 1 << 14;  ///< of one request
/// True when the first dimension counts rows that are computed together.
inline bool HasRows(const TensorSpec& spec) { return !spec.shape.empty() && spec.shape[0] < 0; }

/// What a model keeps from request to request; with a state its answer depends on what its sequence
/// was asked before.
inline std::span<const policy::OnnxState> StatesOf(const ServedModel& model) {
  return model.session == nullptr ? std::span<const policy::OnnxState>() : model.session->states();
}
inline bool KeepsState(const ServedModel& model) { return !StatesOf(model).empty(); }

/// True for the names and versions that URLs and files may carry.
bool IsModelName(std::string_view text);

/// Runs a decoded request on a version: shapes checked, every row computed, statistics kept.
/// `queue_ns`: how long it waited. `state`: of a model that keeps one, the sequence's, which is the
/// next one afterwards.
StatusOr<InferResponse> Infer(const ServedModel& model, InferRequest request,
                              telemetry::Transport transport, int64_t queue_ns = 0,
                              std::span<float> state = {});

}  // namespace saferl::services
