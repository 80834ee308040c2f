#include "saferl/services/registry/model_sync.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include "saferl/base/file.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"
#include "saferl/services/inference/model_source.h"

namespace saferl::services {
namespace {

constexpr const char* kWho = "models-folder";
constexpr int kPage = 1000;

/// 0: no number.
int64_t NumberOf(const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, number) == std::from_chars_result{end, std::errc()} &&
                 number > 0
             ? number
             : 0;
}

/// What the registry wants served of one model, for ModelHost::LoadAll.
class WantedVersions final : public ModelSource {
 public:
  WantedVersions(registry::Store* store, const std::map<int64_t, registry::Version>& wanted)
      : store_(store), wanted_(wanted) {}
  StatusOr<std::vector<std::string>> Versions(const std::string& /*name*/) override {
    std::vector<std::string> versions;
    for (const auto& [number, version] : wanted_) versions.push_back(Cat(number));
    return versions;
  }
  StatusOr<std::string> Read(const std::string& /*name*/, const std::string& version) override {
    return store_->Bytes(wanted_.at(NumberOf(version)).digest);
  }

 private:
  registry::Store* store_;
  const std::map<int64_t, registry::Version>& wanted_;
};

struct File {
  std::string model, version, path;
};

/// Those with an extension, by model, then numbers by value, then names.
std::vector<File> FilesOf(const std::string& folder, const char* extension) {
  std::vector<File> files;
  std::error_code error;
  for (const auto& model : std::filesystem::directory_iterator(folder, error)) {
    for (const auto& file : std::filesystem::directory_iterator(model.path(), error)) {
      if (file.path().extension() != extension) continue;
      files.push_back(
          {model.path().filename().string(), file.path().stem().string(), file.path().string()});
    }
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::tuple(a.model, NumberOf(a.version), a.version) <
           std::tuple(b.model, NumberOf(b.version), b.version);
  });
  return files;
}

/// One model's ONNX files, for ModelHost::LoadAll.
class OnnxFiles final : public ModelSource {
 public:
  OnnxFiles(const std::string& folder, const std::string& model) {
    for (const File& file : FilesOf(folder, ".onnx")) {
      if (file.model == model) paths_[file.version] = file.path;
    }
  }
  bool empty() const { return paths_.empty(); }
  ModelFormat format() const override { return ModelFormat::kOnnx; }
  StatusOr<std::vector<std::string>> Versions(const std::string& /*name*/) override {
    std::vector<std::string> versions;
    for (const auto& [version, path] : paths_) versions.push_back(version);
    return versions;
  }
  StatusOr<std::string> Read(const std::string& /*name*/, const std::string& version) override {
    return ReadFile(paths_.at(version), policy::kMaxServedOnnxBytes);
  }

 private:
  std::map<std::string, std::string> paths_;
};

}  // namespace

void ModelSync::LoadOnnxFiles(const std::set<std::string>& registered) {
  for (const File& file : FilesOf(folder_, ".onnx")) {
    if (registered.contains(file.model)) {
      Log(LogLevel::kError, "model not loaded",
          {{"file", file.path},
           {"why", "the registry has packages of this name; rename the folder"}});
      continue;
    }
    onnx_.insert(file.model);
    const StatusOr<std::string> bytes = ReadFile(file.path, policy::kMaxServedOnnxBytes);
    const Status status = bytes.ok()
                              ? host_->Load(file.model, file.version, *bytes, ModelFormat::kOnnx)
                              : bytes.status();
    if (!status.ok())
      Log(LogLevel::kError, "model not loaded",
          {{"file", file.path}, {"why", Cat(status.message())}});
  }
}

Status ModelSync::PushFiles(const std::string& folder) {
  folder_ = folder;
  unpushed_ = true;
  return PushDropped();
}

Status ModelSync::PushDropped() {
  for (const File& file : FilesOf(folder_, ".policy")) {
    const StatusOr<std::string> bytes = ReadFile(file.path, policy::kMaxPackageBytes);
    Status status = bytes.status();
    if (bytes.ok()) {
      registry::PushRequest request{.model = file.model, .package = *bytes, .who = kWho};
      request.number = NumberOf(file.version);
      status = store_->Push(request).status();
      if (status.ok()) continue;
      if (absl::IsUnavailable(status)) return status;
      // A file that is no package shows as a version that does not load.
      if (absl::IsInvalidArgument(status)) status = host_->Load(file.model, file.version, *bytes);
    }
    Log(LogLevel::kError, "model not pushed",
        {{"file", file.path}, {"why", Cat(status.message())}});
  }
  unpushed_ = false;
  return absl::OkStatus();
}

StatusOr<std::map<int64_t, registry::Version>> ModelSync::Wanted(const registry::Model& model) {
  registry::Search search;
  search.where = {
      {registry::Condition::Field::kName, registry::Condition::Op::kEqual, "", {model.name}}};
  search.limit = kNewest;
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Version> newest,
                          store_->ListVersions(search));
  std::map<int64_t, registry::Version> wanted;
  for (const registry::Version& v : newest) wanted[v.number] = v;
  std::set<int64_t> numbers;
  for (const registry::Alias& alias : model.aliases) numbers.insert(alias.number);
  registry::RolloutStore rollouts(store_);
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Rollout> active,
                          rollouts.List(model.name, true, 1));
  for (const registry::Rollout& r : active) {
    numbers.insert(r.to);
    if (r.from != 0) numbers.insert(r.from);
  }
  for (const int64_t number : numbers) {
    if (wanted.contains(number)) continue;
    SAFERL_ASSIGN_OR_RETURN(wanted[number], store_->Find(model.name, Cat(number)));
  }
  std::erase_if(wanted, [](const auto& entry) { return entry.second.quarantined; });
  return wanted;
}

void ModelSync::Record(const std::string& model, int64_t number, bool begins) {
  if (const Status status = store_->RecordServing(model, number, node_, begins); !status.ok())
    Log(LogLevel::kWarning, "serving not recorded",
        {{"model", model}, {"version", number}, {"why", Cat(status.message())}});
}

Status ModelSync::LoadMissing(const registry::Model& model,
                              const std::map<int64_t, registry::Version>& wanted) {
  std::vector<std::string> loaded = host_->Versions(model.name);
  for (const IndexEntry& entry : host_->Index()) {  // a request brings them back, not a change
    if (entry.name == model.name && entry.evicted) loaded.push_back(entry.version);
  }
  for (const auto& [number, version] : wanted) {
    if (std::find(loaded.begin(), loaded.end(), Cat(number)) != loaded.end()) continue;
    const StatusOr<std::string> bytes = store_->Bytes(version.digest);
    if (absl::IsUnavailable(bytes.status())) return bytes.status();
    const Status status =
        bytes.ok() ? host_->Load(model.name, Cat(number), *bytes) : bytes.status();
    if (status.ok()) {
      Record(model.name, number, true);
    } else {
      Log(LogLevel::kError, "model not loaded",
          {{"model", model.name}, {"version", number}, {"why", Cat(status.message())}});
    }
  }
  return absl::OkStatus();
}

Status ModelSync::DropOthers(const registry::Model& model,
                             const std::map<int64_t, registry::Version>& wanted) {
  std::set<std::string> aliases;
  for (const registry::Alias& alias : model.aliases) {
    if (wanted.contains(alias.number)) aliases.insert(alias.alias);
  }
  for (const IndexEntry& entry : host_->Index()) {
    if (entry.name != model.name) continue;
    for (const std::string& alias : entry.aliases) {
      if (!aliases.contains(alias)) SAFERL_RETURN_IF_ERROR(host_->SetAlias(model.name, alias, ""));
    }
    if ((entry.state != "READY" && !entry.evicted) || wanted.contains(NumberOf(entry.version)))
      continue;
    SAFERL_RETURN_IF_ERROR(host_->Unload(model.name, entry.version));
    Record(model.name, NumberOf(entry.version), false);
  }
  return absl::OkStatus();
}

Status ModelSync::SyncModel(const registry::Model& model) {
  using Versions = std::map<int64_t, registry::Version>;
  SAFERL_ASSIGN_OR_RETURN(const Versions wanted, Wanted(model));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Rollout> active,
                          registry::RolloutStore(store_).List(model.name, true, 1));
  std::set<std::string> pinned;
  for (const registry::Rollout& r : active) {
    for (const int64_t number : {r.from, r.to}) {
      if (number != 0) pinned.insert(Cat(number));
    }
  }
  SAFERL_RETURN_IF_ERROR(LoadMissing(model, wanted));
  host_->Pin(model.name, pinned);
  for (const registry::Alias& alias : model.aliases) {
    if (wanted.contains(alias.number)) pinned.insert(Cat(alias.number));
  }
  for (const IndexEntry& entry : host_->Index()) {
    if (entry.name != model.name || !entry.evicted || !pinned.contains(entry.version)) continue;
    if (const Status status = Reload(model.name, entry.version); !status.ok())
      Log(LogLevel::kError, "model not loaded",
          {{"model", model.name}, {"version", entry.version}, {"why", Cat(status.message())}});
  }
  for (const registry::Alias& alias : model.aliases) {
    if (!wanted.contains(alias.number)) continue;
    if (const Status status = host_->SetAlias(model.name, alias.alias, Cat(alias.number));
        !status.ok())
      Log(LogLevel::kError, "alias not set",
          {{"model", model.name}, {"alias", alias.alias}, {"why", Cat(status.message())}});
  }
  return DropOthers(model, wanted);
}

Status ModelSync::Load(const std::string& name) {
  const std::lock_guard<std::mutex> lock(one_);
  const StatusOr<registry::Model> found = store_->FindModel(name);
  if (OnnxFiles files(folder_, name); absl::IsNotFound(found.status()) && !files.empty()) {
    SAFERL_RETURN_IF_ERROR(host_->LoadAll(name, &files));
    onnx_.insert(name);
    return absl::OkStatus();
  }
  SAFERL_ASSIGN_OR_RETURN(const registry::Model model, found);
  SAFERL_ASSIGN_OR_RETURN(const auto wanted, Wanted(model));
  const std::vector<std::string> before = host_->Versions(name);
  WantedVersions source(store_, wanted);
  SAFERL_RETURN_IF_ERROR(host_->LoadAll(name, &source));
  for (const auto& [number, version] : wanted) {
    if (std::find(before.begin(), before.end(), Cat(number)) == before.end())
      Record(name, number, true);
  }
  for (const std::string& version : before) {
    if (NumberOf(version) != 0 && !wanted.contains(NumberOf(version)))
      Record(name, NumberOf(version), false);
  }
  return SyncModel(model);  // aliases
}

Status ModelSync::Reload(const std::string& name, const std::string& version) {
  const StatusOr<registry::Version> found = store_->Find(name, version);
  if (found.ok()) {
    if (found->quarantined)
      return absl::NotFoundError(Cat("model '", name, "' version '", version, "' is quarantined"));
    SAFERL_ASSIGN_OR_RETURN(const std::string bytes, store_->Bytes(found->digest));
    return host_->Load(name, version, bytes);
  }
  OnnxFiles files(folder_, name);
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> versions, files.Versions(name));
  if (std::find(versions.begin(), versions.end(), version) == versions.end()) return found.status();
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, files.Read(name, version));
  return host_->Load(name, version, bytes, ModelFormat::kOnnx);
}

void ModelSync::Follow(double period_s) {
  follower_ = std::thread([this, period_s] {
    bool told = false;
    std::unique_lock<std::mutex> lock(stop_mutex_);
    while (!stop_.wait_for(lock, std::chrono::duration<double>(period_s),
                           [this] { return stopping_; })) {
      lock.unlock();
      const Status status = SyncIfChanged();
      if (!status.ok() && !told)
        Log(LogLevel::kError, "registry not followed", {{"why", Cat(status.message())}});
      told = !status.ok();
      lock.lock();
    }
  });
}

ModelSync::ModelSync(registry::Store* store, ModelHost* host) : store_(store), host_(host) {
  char name[128] = {};
  node_ = ::gethostname(name, sizeof name - 1) == 0 && registry::CheckName("node", name).ok()
              ? name
              : "this-machine";
}

ModelSync::~ModelSync() {
  {
    const std::lock_guard<std::mutex> lock(stop_mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (follower_.joinable()) follower_.join();
}

Status ModelSync::Sync() {
  const std::lock_guard<std::mutex> lock(one_);
  SAFERL_ASSIGN_OR_RETURN(const int64_t revision, store_->Revision());  // before what it describes
  std::set<std::string> names;
  registry::Search page;
  page.limit = kPage;
  while (true) {
    SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Model> models, store_->ListModels(page));
    for (const registry::Model& model : models) {
      names.insert(model.name);
      if (onnx_.erase(model.name) > 0) {
        Log(LogLevel::kError, "ONNX files are not served any more",
            {{"model", model.name}, {"why", "the registry has packages of this name now"}});
        if (host_->HasModel(model.name)) SAFERL_RETURN_IF_ERROR(host_->Unload(model.name));
      }
      SAFERL_RETURN_IF_ERROR(SyncModel(model));
    }
    if (static_cast<int64_t>(models.size()) < page.limit) break;
    page.offset += page.limit;
  }
  for (const std::string& name : host_->Names()) {
    if (!names.contains(name) && !onnx_.contains(name) && !host_->Versions(name).empty())
      SAFERL_RETURN_IF_ERROR(host_->Unload(name));
  }
  if (revision_ < 0) LoadOnnxFiles(names);  // later ones come by Load
  revision_ = revision;
  return absl::OkStatus();
}

Status ModelSync::SyncIfChanged() {
  if (unpushed_) SAFERL_RETURN_IF_ERROR(PushDropped());
  SAFERL_ASSIGN_OR_RETURN(const int64_t revision, store_->Revision());
  {
    const std::lock_guard<std::mutex> lock(one_);
    if (revision == revision_) return absl::OkStatus();
  }
  return Sync();
}

}  // namespace saferl::services
