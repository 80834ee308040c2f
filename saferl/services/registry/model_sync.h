#pragma once
// ModelSync: what a process serves follows the registry. Loaded are, per model, every version with
// an alias, both versions of an active rollout and the newest kNewest; aliases are the registry's.
// Quarantined versions are not served.
//
// Files dropped into data_dir/models/NAME/VERSION.policy are pushed first, the number in the name
// becoming the version's where it is free; one that does not verify is reported and left out.
// Files data_dir/models/NAME/VERSION.onnx are served as they lie there, never pushed: the registry
// holds packages, whose golden vectors, lineage and rollouts an ONNX file does not have. A name is
// either the registry's or of such files; with both, the registry's packages are served.
// Each version that it begins or ends to serve is an event of the registry's history, by this
// machine's name. What a client unloads stays unloaded until the registry changes or it is loaded.
// Errors: what the registry says; a version that does not load is reported in the index (and
// /health/models) and does not stop the others. RT: no.

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "saferl/registry/rollouts_store.h"
#include "saferl/services/inference/model_host.h"

namespace saferl::services {

class ModelSync {
 public:
  static constexpr int kNewest = 3;  ///< stay hot, so that going back needs no loading

  ModelSync(registry::Store* store, ModelHost* host);
  ~ModelSync();
  /// This machine's name in the registry's history.
  const std::string& node() const { return node_; }
  /// Pushes dropped packages and remembers the folder for ONNX files, which Sync then loads.
  /// `folder` is data_dir/models; absent: nothing. kUnavailable when a store was away:
  /// SyncIfChanged pushes the rest.
  Status PushFiles(const std::string& folder);
  /// Loads, unloads and moves aliases until the host is as the registry says.
  Status Sync();
  /// Sync when the registry has changed since the last one.
  Status SyncIfChanged();
  /// Loads what one model should serve; kNotFound when neither registry nor folder has it.
  Status Load(const std::string& name);
  /// One version that was evicted.
  Status Reload(const std::string& name, const std::string& version);
  /// SyncIfChanged every `period_s` on a thread of its own, until destruction.
  void Follow(double period_s);

 private:
  Status SyncModel(const registry::Model& model);
  StatusOr<std::map<int64_t, registry::Version>> Wanted(const registry::Model& model);
  Status LoadMissing(const registry::Model& model,
                     const std::map<int64_t, registry::Version>& wanted);
  Status DropOthers(const registry::Model& model,
                    const std::map<int64_t, registry::Version>& wanted);
  Status PushDropped();
  /// Serves the folder's ONNX files of names that the registry does not have.
  void LoadOnnxFiles(const std::set<std::string>& registered);
  void Record(const std::string& model, int64_t number, bool begins);
  registry::Store* store_;
  ModelHost* host_;
  std::string node_, folder_;
  std::set<std::string> onnx_;  ///< models that are served from ONNX files
  std::mutex one_;
  int64_t revision_ = -1;
  bool unpushed_ = false;  ///< files of folder_ are still to be pushed; the follower's
  std::mutex stop_mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread follower_;
};

}  // namespace saferl::services
