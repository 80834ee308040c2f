#pragma once
// Experiments: one row for each training run, from its start to its end, with all that decides it
// (task, algorithm, seed, config) and what came of it (metrics, digest of the package).
//
// A run is `running` until it is ended once, as finished, stopped or failed; after that nothing of
// it changes. Errors: kNotFound, kAborted (it has ended), the database's. RT: no.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/storage/database.h"

namespace saferl::services {

struct Experiment {
  std::string id, name, task, algorithm;
  int64_t seed = 0;
  std::string config;  ///< YAML, as the package keeps it
  int64_t iterations = 0;
  std::string status = "running";
  int64_t iteration = 0, steps = 0;  ///< so far
  std::string metrics = "{}";        ///< JSON object of numbers, the latest
  std::string artifact_sha256, reason;
  int64_t created_ns = 0, updated_ns = 0, finished_ns = 0;  ///< wall clock; 0: not finished
};

struct ExperimentFilter {
  std::string name, task, algorithm, status, artifact_sha256;  ///< empty: any
  std::optional<int64_t> seed;
  int64_t from_ns = 0, to_ns = INT64_MAX;  ///< of created_ns
};

class ExperimentStore {
 public:
  /// Makes its table.
  static StatusOr<std::unique_ptr<ExperimentStore>> Open(storage::Database* database);
  /// Gives it its id and times.
  StatusOr<Experiment> Create(Experiment experiment);
  StatusOr<Experiment> Get(const std::string& id) const;
  /// Newest first, at most `limit`, after the one with that time and id.
  StatusOr<std::vector<Experiment>> List(
      const ExperimentFilter& filter, int limit,
      const std::optional<std::pair<int64_t, std::string>>& after) const;
  /// Changes one that runs, all or nothing; `change` may run more than once and may refuse.
  StatusOr<Experiment> Change(const std::string& id,
                              const std::function<Status(Experiment*)>& change);

 private:
  explicit ExperimentStore(storage::Database* database) : database_(database) {}
  storage::Database* database_;
};

}  // namespace saferl::services
