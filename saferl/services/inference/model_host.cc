#include "saferl/services/inference/model_host.h"

#include <algorithm>
#include <charconv>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"

namespace saferl::services {
namespace {

constexpr std::string_view kChampion = "champion";

/// Numbers by value, before every text.
bool OlderVersion(const std::string& a, const std::string& b) {
  uint64_t x = 0, y = 0;
  const auto number = [](const std::string& s, uint64_t* n) {
    const char* end = s.data() + s.size();
    return std::from_chars(s.data(), end, *n) == std::from_chars_result{end, std::errc()};
  };
  const bool a_number = number(a, &x), b_number = number(b, &y);
  if (a_number && b_number) return x < y;
  if (a_number != b_number) return b_number;
  return a < b;
}

Status CheckName(std::string_view what, std::string_view text) {
  if (IsModelName(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(what, ": '", text.substr(0, 80), "' is not 1 to 128 of A-Z a-z 0-9 . _ -; rename it"));
}

/// Of a model that has not computed yet: above what a connection's thread takes on itself.
constexpr int64_t kUnknownCost_ns = 1'000'000;
constexpr int kCostRuns = 3;                 // the first one finds nothing in the caches
constexpr int64_t kLongRun_ns = 20'000'000;  // measured once
constexpr int64_t kMaxMadeUp = 1 << 24;      // numbers of a row of zeros

/// What one row of a package takes.
int64_t MeasurePolicy(const ServedModel& model) {
  const std::vector<float> row(static_cast<size_t>(model.input.shape.back()), 0.0F);
  std::vector<float> action(static_cast<size_t>(model.output.shape.back()));
  int64_t best = INT64_MAX;
  for (int i = 0; i < kCostRuns; ++i) {
    const int64_t start = Nanos();
    (void)model.policy->Forward(row, action);
    best = std::min(best, Nanos() - start);
  }
  return best;
}

/// What one row of an ONNX model takes. On a GPU its first one takes memory and loads kernels: that
/// is done here, at load, so that no request waits for it. Fails when not even one row finds
/// memory.
StatusOr<int64_t> MeasureSession(const ServedModel& model) {
  std::vector<int64_t> shape = model.input.shape;
  if (HasRows(model.input)) shape[0] = 1;
  int64_t numbers = 1;
  for (const int64_t d : shape) {
    if (d < 1 || d > kMaxMadeUp / numbers) return kUnknownCost_ns;  // no input to make up
    numbers *= d;
  }
  const std::vector<float> row(static_cast<size_t>(numbers), 0.0F);
  std::vector<float> state(model.session->state_size(), 0.0F);
  int64_t best = INT64_MAX;
  for (int i = 0; i < kCostRuns && (i == 0 || best < kLongRun_ns); ++i) {
    std::string output;
    std::vector<int64_t> output_shape;
    const int64_t start = Nanos();
    Status status = model.session->Run(row, shape, state, &output, &output_shape);
    if (absl::IsResourceExhausted(status)) return status;
    if (!status.ok()) {
      Log(LogLevel::kWarning, "an ONNX model does not compute a row of zeros",
          {{"model", model.name}, {"version", model.version}, {"why", Cat(status.message())}});
      return kUnknownCost_ns;
    }
    best = std::min(best, Nanos() - start);
  }
  return best;
}

/// What one row takes, so that the first request is already judged by it.
StatusOr<int64_t> MeasureRow(const ServedModel& model) {
  return model.policy == nullptr ? MeasureSession(model) : MeasurePolicy(model);
}

Status ReadPackage(std::string_view bytes, const std::string& source, ServedModel* model) {
  SAFERL_ASSIGN_OR_RETURN(policy::PolicySpec spec, policy::DecodePackage(bytes, source));
  model->platform = "saferl_policy";
  model->backend = "saferl";
  model->input = {"observation", DataType::kFp32, {-1, spec.n_obs()}};
  model->output = {"action", DataType::kFp32, {-1, spec.n_act()}};
  SAFERL_ASSIGN_OR_RETURN(model->policy, policy::Policy::Create(std::move(spec)));
  return absl::OkStatus();
}

constexpr int64_t kMostDriftValues = 1024;  // 256 blocks of them are 4 MB

/// Of a model that is no package: values of one row; 0 where a request is no rows of numbers.
int64_t RowWidth(const TensorSpec& spec) {
  const size_t rank = spec.shape.size();
  const bool rows = rank == 1 || (rank == 2 && (spec.shape[0] == -1 || spec.shape[0] == 1));
  return rows && spec.shape.back() > 0 ? spec.shape.back() : 0;
}

/// A detector of what the model is asked and answers; where it cannot have one, why.
void AddDrift(const policy::DriftOptions& options, ServedModel* model) {
  if (model->policy != nullptr) {
    model->drift = std::make_unique<policy::DriftDetector>(model->policy->spec(), options);
  } else {
    const int64_t n_obs = RowWidth(model->input), n_act = RowWidth(model->output);
    if (n_obs == 0 || n_act == 0) {
      model->no_drift = Cat(n_obs == 0 ? "its input" : "its output",
                            " is no row of a known number of values, so there is no observation "
                            "and action to compare");
      return;
    }
    if (n_obs + n_act > kMostDriftValues) {
      model->no_drift = Cat("its rows have ", n_obs + n_act, " values, more than ",
                            kMostDriftValues, " that are compared");
      return;
    }
    model->drift = std::make_unique<policy::DriftDetector>(
        policy::PlainShape(model->input.name, static_cast<size_t>(n_obs), model->output.name,
                           static_cast<size_t>(n_act)),
        options);
  }
  model->requests = model->drift->AddStream();
}

/// The label `quant` of saferl_model_info.
const char* QuantOf(const ServedModel& model) {
  return model.policy != nullptr && model.policy->spec().int8() ? "int8" : "fp32";
}

}  // namespace

ServedModel::~ServedModel() {
  if (metrics != nullptr) metrics->Unloaded();
}

bool IsModelName(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

Status ModelHost::ReadOnnx(std::string_view bytes, const std::string& source, ServedModel* model) {
  if (onnx_ == nullptr) {
    SAFERL_ASSIGN_OR_RETURN(onnx_, policy::OnnxRuntime::Load(onnx_options_));
  }
  model->platform = "onnxruntime_onnx";
  model->backend = "onnxruntime";
  SAFERL_ASSIGN_OR_RETURN(model->session, onnx_->Open(bytes, source));
  const auto spec = [](const policy::OnnxPort& port) {
    return TensorSpec{port.name, DataType::kFp32, port.shape};
  };
  model->input = spec(model->session->input());
  model->output = spec(model->session->output());
  return absl::OkStatus();
}

StatusOr<std::shared_ptr<ServedModel>> ModelHost::MakeServed(const std::string& name,
                                                             const std::string& version,
                                                             std::string_view bytes,
                                                             ModelFormat format) {
  const int64_t start = Nanos();
  auto model = std::make_shared<ServedModel>();
  model->name = name;
  model->version = version;
  model->sha256 = Sha256Hex(bytes);
  model->bytes = bytes.size();
  const std::string source = Cat(name, " version ", version);
  SAFERL_RETURN_IF_ERROR(format == ModelFormat::kOnnx ? ReadOnnx(bytes, source, model.get())
                                                      : ReadPackage(bytes, source, model.get()));
  SAFERL_ASSIGN_OR_RETURN(model->cost_ns, MeasureRow(*model));
  AddDrift(drift_options_, model.get());
  model->metrics = std::make_unique<telemetry::ModelMetrics>(*metrics_, name, version);
  model->metrics->Loaded(model->sha256, QuantOf(*model),
                         1e-9 * static_cast<double>(Nanos() - start));
  model->used_ns = Nanos();
  return model;
}

Status ModelHost::MakeRoom(const ServedModel& coming, uint64_t budget, Table* table) {
  const uint64_t bytes = coming.bytes;
  if (bytes > budget)
    return absl::ResourceExhaustedError(Cat("model of ", bytes,
                                            " bytes is larger than MODEL_CACHE_SIZE, ", budget,
                                            " bytes; raise it"));
  while (true) {
    uint64_t used = 0;
    Model* holder = nullptr;
    std::string oldest;
    int64_t oldest_ns = INT64_MAX;
    for (auto& [name, model] : *table) {
      std::string newest = name == coming.name ? coming.version : "";
      for (const auto& [version, served] : model.versions) {
        if (newest.empty() || OlderVersion(newest, version)) newest = version;
      }
      if (model.aliases.contains(kChampion)) newest.clear();
      for (const auto& [version, served] : model.versions) {
        used += served->bytes;
        const bool aliased = std::any_of(model.aliases.begin(), model.aliases.end(),
                                         [&v = version](const auto& a) { return a.second == v; });
        const bool held = aliased || version == newest || model.pinned.contains(version) ||
                          served->sequences.load(std::memory_order_relaxed) > 0;
        if (held || served->used_ns >= oldest_ns) continue;
        oldest_ns = served->used_ns;
        holder = &model;
        oldest = version;
      }
    }
    if (used + bytes <= budget) return absl::OkStatus();
    if (holder == nullptr)
      return absl::ResourceExhaustedError(Cat(
          "MODEL_CACHE_SIZE of ", budget,
          " bytes is full of versions in use (aliases, rollouts, sequences, the newest); unload "
          "one or raise it"));
    holder->versions.erase(oldest);
    holder->evicted.insert(oldest);
  }
}

Status ModelHost::Load(const std::string& name, const std::string& version, std::string_view bytes,
                       ModelFormat format) {
  SAFERL_RETURN_IF_ERROR(CheckName("model", name));
  SAFERL_RETURN_IF_ERROR(CheckName("version", version));
  const std::lock_guard<std::mutex> lock(change_);
  Table next = *table();
  StatusOr<std::shared_ptr<ServedModel>> served = MakeServed(name, version, bytes, format);
  Status status = served.status();
  Model& model = next[name];
  if (status.ok()) {
    const auto before = model.versions.find(version);
    if (before != model.versions.end()) model.versions.erase(before);
    status = MakeRoom(**served, budget_bytes_, &next);
  }
  if (!status.ok()) {
    Table kept = *table();
    kept[name].failed[version] = Cat(status.message());
    Publish(std::move(kept));
    return status;
  }
  model.failed.erase(version);
  model.evicted.erase(version);
  model.versions[version] = *std::move(served);
  Publish(std::move(next));
  return absl::OkStatus();
}

Status ModelHost::LoadAll(const std::string& name, ModelSource* source) {
  SAFERL_RETURN_IF_ERROR(CheckName("model", name));
  const std::lock_guard<std::mutex> lock(change_);
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> wanted, source->Versions(name));
  Table next = *table();
  Model& model = next[name];
  const Model old = model;
  model.versions.clear();
  model.failed.clear();
  model.evicted.clear();
  std::vector<std::shared_ptr<ServedModel>> fresh;
  for (const std::string& version : wanted) {
    SAFERL_RETURN_IF_ERROR(CheckName("version", version));
    SAFERL_ASSIGN_OR_RETURN(const std::string package, source->Read(name, version));
    const auto before = old.versions.find(version);
    if (before != old.versions.end() && before->second->sha256 == Sha256Hex(package)) {
      model.versions[version] = before->second;
      continue;
    }
    SAFERL_ASSIGN_OR_RETURN(fresh.emplace_back(),
                            MakeServed(name, version, package, source->format()));
  }
  std::erase_if(model.aliases, [&](const auto& alias) {
    return std::find(wanted.begin(), wanted.end(), alias.second) == wanted.end();
  });
  for (std::shared_ptr<ServedModel>& served : fresh) {
    SAFERL_RETURN_IF_ERROR(MakeRoom(*served, budget_bytes_, &next));
    model.versions[served->version] = std::move(served);
  }
  Publish(std::move(next));
  return absl::OkStatus();
}

Status ModelHost::Unload(const std::string& name, const std::string& version) {
  const std::lock_guard<std::mutex> lock(change_);
  Table next = *table();
  const auto model = next.find(name);
  if (model == next.end()) return absl::NotFoundError(Cat("model '", name, "' is not loaded"));
  if (version.empty()) {
    next.erase(model);
  } else {
    if (model->second.versions.erase(version) + model->second.failed.erase(version) +
            model->second.evicted.erase(version) ==
        0)
      return absl::NotFoundError(Cat("model '", name, "' version '", version, "' is not loaded"));
    std::erase_if(model->second.aliases,
                  [&](const auto& alias) { return alias.second == version; });
  }
  Publish(std::move(next));
  return absl::OkStatus();
}

Status ModelHost::SetAlias(const std::string& name, const std::string& alias,
                           const std::string& version) {
  SAFERL_RETURN_IF_ERROR(CheckName("alias", alias));
  const std::lock_guard<std::mutex> lock(change_);
  Table next = *table();
  const auto model = next.find(name);
  if (model == next.end()) return absl::NotFoundError(Cat("model '", name, "' is not loaded"));
  if (version.empty()) {
    model->second.aliases.erase(alias);
  } else {
    if (!model->second.versions.contains(version))
      return absl::NotFoundError(Cat("alias '", alias, "': version '", version, "' of '", name,
                                     "' is not loaded; load it first"));
    model->second.aliases[alias] = version;
  }
  Publish(std::move(next));
  return absl::OkStatus();
}

void ModelHost::Pin(const std::string& name, const std::set<std::string>& versions) {
  const std::lock_guard<std::mutex> lock(change_);
  const std::shared_ptr<const Table> now = table();
  const auto model = now->find(name);
  if (model == now->end() || std::ranges::equal(model->second.pinned, versions)) return;
  Table next = *now;
  next[name].pinned = {versions.begin(), versions.end()};
  Publish(std::move(next));
}

std::string ModelHost::Evicted(std::string_view name, std::string_view version) const {
  const std::shared_ptr<const Table> all = table();
  const auto model = all->find(name);
  return model != all->end() && model->second.evicted.contains(version) ? std::string(version) : "";
}

std::shared_ptr<const ServedModel> ModelHost::Find(std::string_view name,
                                                   std::string_view version) const {
  const std::shared_ptr<const Table> all = table();
  const auto model = all->find(name);
  if (model == all->end() || model->second.versions.empty()) return nullptr;
  const auto& versions = model->second.versions;
  auto found = version.empty() ? versions.end() : versions.find(version);
  if (found == versions.end()) {
    const auto alias = model->second.aliases.find(version.empty() ? kChampion : version);
    if (alias != model->second.aliases.end()) found = versions.find(alias->second);
  }
  if (found == versions.end() && version.empty()) {
    found = std::max_element(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
      return OlderVersion(a.first, b.first);
    });
  }
  return found == versions.end() ? nullptr : found->second;
}

StatusOr<std::shared_ptr<const ServedModel>> ModelHost::Resolve(std::string_view name,
                                                                std::string_view version) const {
  std::shared_ptr<const ServedModel> found = Find(name, version);
  if (found != nullptr) return found;
  if (const std::string evicted = Evicted(name, version); reload_ && !evicted.empty()) {
    SAFERL_RETURN_IF_ERROR(reload_(std::string(name), evicted));
    found = Find(name, version);
    if (found != nullptr) return found;
  }
  if (!HasModel(name))
    return absl::NotFoundError(Cat("model '", JsonEscape(name.substr(0, 128)),
                                   "' is not loaded; the repository index lists what is"));
  if (version.empty())
    return absl::UnavailableError(Cat("model '", name, "' has no version that is ready"));
  return absl::NotFoundError(Cat("model '", name, "' has no version or alias '",
                                 JsonEscape(version.substr(0, 128)), "' that is ready; it has ",
                                 Join(Versions(name), ", ")));
}

StatusOr<std::vector<std::shared_ptr<const ServedModel>>> ModelHost::Matching(
    std::string_view name, std::string_view version) const {
  std::vector<std::shared_ptr<const ServedModel>> found;
  if (!version.empty()) {
    SAFERL_ASSIGN_OR_RETURN(found.emplace_back(), Resolve(name, version));
    return found;
  }
  std::vector<std::string> names = Names();
  if (!name.empty()) names.assign(1, std::string(name));
  for (const std::string& one : names) {
    for (const std::string& v : Versions(one)) {
      if (auto model = Find(one, v); model != nullptr) found.push_back(std::move(model));
    }
  }
  if (found.empty() && !name.empty()) return Resolve(name, version).status();
  return found;
}

bool ModelHost::HasModel(std::string_view name) const {
  const std::shared_ptr<const Table> all = table();
  return all->contains(name);
}

std::vector<std::string> ModelHost::Versions(std::string_view name) const {
  const std::shared_ptr<const Table> all = table();
  std::vector<std::string> versions;
  if (const auto model = all->find(name); model != all->end()) {
    for (const auto& [version, served] : model->second.versions) versions.push_back(version);
  }
  std::sort(versions.begin(), versions.end(), OlderVersion);
  return versions;
}

std::vector<std::string> ModelHost::Names() const {
  const std::shared_ptr<const Table> all = table();
  std::vector<std::string> names;
  for (const auto& [name, model] : *all) names.push_back(name);
  return names;
}

std::vector<IndexEntry> ModelHost::Index() const {
  const std::shared_ptr<const Table> all = table();
  std::vector<IndexEntry> index;
  for (const auto& [name, model] : *all) {
    for (const auto& [version, served] : model.versions) {
      IndexEntry entry{name, version, "READY", "", {}, false};
      for (const auto& [alias, target] : model.aliases) {
        if (target == version) entry.aliases.push_back(alias);
      }
      index.push_back(std::move(entry));
    }
    for (const std::string& version : model.evicted)
      index.push_back(
          {name, version, "UNAVAILABLE", "evicted; a request loads it again", {}, true});
    for (const auto& [version, why] : model.failed) {
      if (!model.versions.contains(version))
        index.push_back({name, version, "UNAVAILABLE", why, {}, false});
    }
  }
  return index;
}

}  // namespace saferl::services
