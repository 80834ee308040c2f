// Durable rows per second, one row a transaction, by 1, 10 and 100 writers: SQLite with group
// commit (the adapter), SQLite with a commit for each row (one connection behind a lock), and
// PostgreSQL through the same interface. All three sync every commit; they take turns within one
// run, so that their ratios hold on a busy machine too.
//
//   build/bin/storage_bench --benchmark_filter=Rows
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/storage/database.h"
#include "saferl/storage/sqlite_connection.h"
#include "saferl/storage/testing/postgres_server.h"

namespace saferl::storage {
namespace {

constexpr double kTurn_s = 0.4;
constexpr const char* kTable = "CREATE TABLE kept (id bigint PRIMARY KEY, b bytea)";
constexpr const char* kInsert = "INSERT INTO kept (id, b) VALUES ($1, $2)";

[[noreturn]] void Die(const Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(3);
}

/// Rows per second of `writers` threads that call `add` for kTurn_s.
template <class Add>
double Rate(int writers, std::atomic<int64_t>* next, Add&& add) {
  std::atomic<int64_t> rows = 0;
  const int64_t from_ns = Nanos();
  const Deadline deadline = Deadline::After(FromSeconds(kTurn_s));
  std::vector<std::thread> threads;
  for (int t = 0; t < writers; ++t) {
    threads.emplace_back([&] {
      while (!deadline.Passed()) {
        if (const Status status = add((*next)++); !status.ok()) Die(status);
        ++rows;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(rows) / Seconds(Nanos() - from_ns);
}

Status AddTo(Database* database, int64_t id) {
  return database->Execute(kInsert, {id, Blob{std::string(90, 'x')}}).status();
}

void Rows(benchmark::State& state) {
  const int writers = static_cast<int>(state.range(0));
  std::string directory = std::filesystem::temp_directory_path() / "saferl-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) Die(absl::UnavailableError("no directory"));
  auto grouped = OpenDatabase({.url = Cat("sqlite:", directory, "/group.db"), .wait_s = 30});
  auto other = OpenDatabase({.url = Cat("sqlite:", directory, "/plain.db")});
  auto server = testing::PostgresServer::Start({.fsync = true});
  if (!grouped.ok() || !other.ok() || !server.ok()) Die(server.status());
  const StatusOr<std::string> url = (*server)->NewDatabase();
  auto postgres = OpenDatabase(
      {.url = *url, .password = testing::PostgresServer::kPassword, .pool = 20, .wait_s = 30});
  if (!postgres.ok()) Die(postgres.status());
  for (Database* database : {grouped->get(), other->get(), postgres->get()}) {
    if (const Status made = database->Execute(kTable).status(); !made.ok()) Die(made);
  }
  other->reset();
  auto plain = SqliteConnection::Open(directory + "/plain.db", SqliteConnection::Role::kWriter, 5);
  if (!plain.ok()) Die(plain.status());
  std::mutex plain_mutex;
  std::atomic<int64_t> next = 0;
  double group_rows = 0, plain_rows = 0, postgres_rows = 0;
  for (auto _ : state) {
    group_rows += Rate(writers, &next, [&](int64_t id) { return AddTo(grouped->get(), id); });
    plain_rows += Rate(writers, &next, [&](int64_t id) -> Status {
      const std::lock_guard lock(plain_mutex);
      const Value values[] = {id, Blob{std::string(90, 'x')}};
      SAFERL_RETURN_IF_ERROR((*plain)->Control("BEGIN IMMEDIATE").status());
      SAFERL_RETURN_IF_ERROR((*plain)->Run(kInsert, values).status());
      SAFERL_RETURN_IF_ERROR((*plain)->Control("COMMIT").status());
      return (*plain)->log_pages() < 1000 ? absl::OkStatus() : (*plain)->Checkpoint(false);
    });
    postgres_rows += Rate(writers, &next, [&](int64_t id) { return AddTo(postgres->get(), id); });
  }
  const double turns = static_cast<double>(state.iterations());
  state.counters["sqlite_rows_s"] = group_rows / turns;
  state.counters["plain_rows_s"] = plain_rows / turns;
  state.counters["postgres_rows_s"] = postgres_rows / turns;
  state.counters["to_plain"] = group_rows / plain_rows;
  state.counters["to_postgres"] = group_rows / postgres_rows;
  grouped->reset();
  plain->reset();
  std::filesystem::remove_all(directory);
}
BENCHMARK(Rows)->Arg(1)->Arg(10)->Arg(100)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace saferl::storage
