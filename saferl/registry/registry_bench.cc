// Time of one lookup in a registry of 10^5 versions (100 models of 1000): by number, by alias, by
// default. Prints p50, p99 and the worst in microseconds. The rows are SQLite's, on disk.
//
//   build/bin/registry_bench
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/registry/store.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::registry {
namespace {

constexpr int kModels = 100, kVersions = 1000;

[[noreturn]] void Die(const Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(3);
}

template <class T>
T Must(StatusOr<T> value) {
  if (!value.ok()) Die(value.status());
  return *std::move(value);
}

/// Rows as Push writes them, without the bytes: lookups do not read objects.
Status Fill(storage::Database* database) {
  return database->Transact([](storage::Transaction& t) -> Status {
    std::vector<storage::Row> models, versions, aliases;
    for (int m = 0; m < kModels; ++m) {
      const std::string id = Cat("id", m);
      models.push_back({id, Cat("model-", m)});
      for (int v = 1; v <= kVersions; ++v)
        versions.push_back({id, int64_t{v}, Sha256Hex(Cat(m, ":", v))});
      aliases.push_back({id, int64_t{kVersions / 2}});
    }
    SAFERL_RETURN_IF_ERROR(
        t.ExecuteBatch("INSERT INTO registry_models (id, name, last_name, description, created_ns, "
                       "updated_ns) VALUES ($1, $2, $2, '', 1, 1)",
                       models)
            .status());
    SAFERL_RETURN_IF_ERROR(
        t.ExecuteBatch(
             "INSERT INTO registry_versions (model_id, number, digest, live_digest, bytes, robot, "
             "author, description, stage, run_id, run_link, data, code_commit, config_sha256, "
             "seed, task, algorithm, created_ns, updated_ns) VALUES ($1, $2, $3, $3, 30000, 'arm', "
             "'ann', '', 'None', '', '', '', '', '', '', '', '', 1, 1)",
             versions)
            .status());
    return t
        .ExecuteBatch(
            "INSERT INTO registry_aliases (model_id, alias, number) VALUES ($1, 'champion', $2)",
            aliases)
        .status();
  });
}

void Lookup(benchmark::State& state, const char* by) {
  const storage::testing::TemporaryDirectory folder("registry-bench");
  const auto database =
      Must(storage::OpenDatabase({.url = Cat("sqlite:", folder.path(), "/rows.db")}));
  const auto objects = Must(storage::OpenObjects({.url = "dir:" + folder.path() + "/objects"}));
  const auto store = Must(Store::Open(database.get(), objects.get()));
  if (const Status status = Fill(database.get()); !status.ok()) Die(status);
  Random random(1);
  std::vector<int64_t> times;
  for (auto _ : state) {
    const std::string model = Cat("model-", static_cast<int>(random.Uniform() * kModels));
    std::string ref = by;
    if (ref == "number") ref = Cat(1 + static_cast<int>(random.Uniform() * kVersions));
    const int64_t from = Nanos();
    const Version version = Must(store->Find(model, ref == "default" ? "" : ref));
    times.push_back(Nanos() - from);
    benchmark::DoNotOptimize(version.number);
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double q) {
    return 1e-3 *
           static_cast<double>(times[std::min(
               times.size() - 1, static_cast<size_t>(q * static_cast<double>(times.size())))]);
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["max_us"] = at(1);
}
BENCHMARK_CAPTURE(Lookup, number, "number")->Iterations(20'000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Lookup, alias, "champion")->Iterations(20'000)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Lookup, by_default, "default")->Iterations(20'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace saferl::registry
