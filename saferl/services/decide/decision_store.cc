#include "saferl/services/decide/decision_store.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <type_traits>

#include "saferl/base/clock.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/control/decision_codec.h"
#include "saferl/control/replay.h"
#include "saferl/control/tick_data.h"

namespace saferl::services {
namespace {

using storage::AsInt;
using storage::AsText;
using storage::Value;

static_assert(std::is_trivially_copyable_v<control::TickData>, "a key frame is a copy of it");

constexpr size_t kBatch = 512;
constexpr double kFirstPause_s = 0.05, kMostPause_s = 1;

constexpr storage::Migration kMigrations[] = {
    {1, "decisions",
     "CREATE TABLE decisions (id text NOT NULL PRIMARY KEY, robot text NOT NULL, session text NOT "
     "NULL, tick bigint NOT NULL, at_ns bigint NOT NULL, type text NOT NULL, model text NOT NULL, "
     "version text NOT NULL, mode bigint NOT NULL, reason bigint NOT NULL, record bytea NOT "
     "NULL);\n"
     "CREATE INDEX decisions_by_time ON decisions (at_ns, id);\n"
     "CREATE INDEX decisions_by_robot ON decisions (robot, at_ns, id);\n"
     "CREATE INDEX decisions_by_session ON decisions (session, tick)"}};

constexpr std::string_view kColumns =
    "id, robot, session, tick, at_ns, type, model, version, mode, reason";

KeptDecision FromRow(const storage::Row& row) {
  KeptDecision d;
  d.head = {AsText(row[0]), AsText(row[1]), AsText(row[5]),
            AsText(row[2]), AsText(row[6]), AsText(row[7])};
  d.tick = static_cast<uint64_t>(AsInt(row[3]));
  d.at_ns = AsInt(row[4]);
  d.mode = static_cast<safety::Mode>(AsInt(row[8]));
  d.reason = static_cast<safety::Reason>(AsInt(row[9]));
  if (row.size() > 10) d.record = storage::AsBlob(row[10]);
  return d;
}

}  // namespace

DecisionStore::DecisionStore(const DecisionStoreOptions& options, storage::Database* database,
                             telemetry::Metrics* metrics)
    : options_(options), database_(database), metrics_(*metrics) {}

StatusOr<std::unique_ptr<DecisionStore>> DecisionStore::Open(const DecisionStoreOptions& options,
                                                             storage::Database* database,
                                                             telemetry::Metrics* metrics) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("decisions", kMigrations, database));
  std::unique_ptr<DecisionStore> store(new DecisionStore(options, database, metrics));
  store->writer_ = std::thread([s = store.get()] { s->Write(); });
  return store;
}

DecisionStore::~DecisionStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_all();
  ended_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void DecisionStore::Keep(const Decided& decided) {
  KeptDecision d;
  d.head = decided.head;
  d.tick = decided.tick;
  d.at_ns = WallNanos();
  d.mode = decided.decision.command.mode;
  d.reason = decided.decision.command.reason;
  control::EncodeDecision(control::ShapeOf(decided.session->robot()), decided.decision, &d.record);
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < options_.queue) {
      queue_.push_back(std::move(d));
      ++taken_;
    } else {
      metrics_.dropped.Add();
    }
  }
  filled_.notify_one();
}

void DecisionStore::Flush() {
  std::unique_lock lock(mutex_);
  const uint64_t until = taken_;
  stored_.wait(lock, [&] { return done_ >= until; });
}

void DecisionStore::Write() {
  while (true) {
    std::vector<KeptDecision> batch;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < kBatch) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    const Status status = StorePatiently(batch);
    if (status.ok()) {
      metrics_.kept.Add(batch.size());
    } else {
      Drop(batch.size(), status);
    }
    const std::lock_guard lock(mutex_);
    done_ += batch.size();
    if (!status.ok() && stopping_) {  // no time to try each of them
      if (!queue_.empty()) Drop(queue_.size(), status);
      done_ += queue_.size();
      queue_.clear();
    }
    stored_.notify_all();
  }
}

void DecisionStore::Drop(size_t count, const Status& why) {
  metrics_.dropped.Add(count);
  Log(LogLevel::kError, "decisions not stored", {{"count", count}, {"why", Cat(why.message())}});
}

/// Again and again while the database is away; what comes meanwhile waits in the queue.
Status DecisionStore::StorePatiently(const std::vector<KeptDecision>& batch) {
  for (int attempt = 0;; ++attempt) {
    Status status = Store(batch);
    const bool passing = absl::IsUnavailable(status) || absl::IsUnknown(status) ||
                         absl::IsAborted(status) || absl::IsDeadlineExceeded(status);
    if (status.ok() || !passing) return status;
    if (attempt == 0)
      Log(LogLevel::kWarning, "decisions wait for the database", {{"why", Cat(status.message())}});
    const double pause_s = std::min(kMostPause_s, kFirstPause_s * std::pow(2, attempt));
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, std::chrono::duration<double>(pause_s), [&] { return stopping_; }))
      return status;
  }
}

Status DecisionStore::Store(const std::vector<KeptDecision>& batch) {
  std::vector<storage::Row> rows;
  std::map<std::string, int> of_robot;
  for (const KeptDecision& d : batch) {
    ++of_robot[d.head.robot];
    rows.push_back({d.head.id, d.head.robot, d.head.session, static_cast<int64_t>(d.tick), d.at_ns,
                    d.head.type, d.head.model, d.head.version, static_cast<int64_t>(d.mode),
                    static_cast<int64_t>(d.reason), storage::Blob{d.record}});
  }
  std::vector<std::string> prune;
  for (const auto& [robot, count] : of_robot)
    if (since_pruned_[robot] + count >= std::max(1, options_.keep_per_robot / 10))
      prune.push_back(robot);
  Status stored = database_->Transact([&](storage::Transaction& t) -> Status {
    SAFERL_RETURN_IF_ERROR(
        t.ExecuteBatch("INSERT INTO decisions (id, robot, session, tick, at_ns, type, model, "
                       "version, mode, reason, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                       "$10, $11) ON CONFLICT (id) DO NOTHING",
                       rows)
            .status());
    for (const std::string& robot : prune) {
      SAFERL_ASSIGN_OR_RETURN(
          const storage::Rows oldest,
          t.Execute("SELECT at_ns, id FROM decisions WHERE robot = $1 ORDER BY at_ns DESC, id DESC "
                    "LIMIT 1 OFFSET $2",
                    {robot, int64_t{options_.keep_per_robot}}));
      if (oldest.rows.empty()) continue;
      SAFERL_RETURN_IF_ERROR(
          t.Execute("DELETE FROM decisions WHERE robot = $1 AND (at_ns < $2 OR (at_ns = $2 AND id "
                    "<= $3))",
                    {robot, oldest.rows[0][0], oldest.rows[0][1]})
              .status());
    }
    return absl::OkStatus();
  });
  if (!stored.ok()) return stored;
  for (const auto& [robot, count] : of_robot) since_pruned_[robot] += count;
  for (const std::string& robot : prune) since_pruned_.erase(robot);
  return absl::OkStatus();
}

StatusOr<std::vector<KeptDecision>> DecisionStore::List(
    const DecisionFilter& filter, int limit, std::optional<std::pair<int64_t, std::string>> after) {
  std::string sql = Cat("SELECT ", kColumns, " FROM decisions WHERE at_ns >= $1 AND at_ns <= $2");
  std::vector<Value> values;
  values.reserve(9);
  values.emplace_back(filter.from_ns);
  values.emplace_back(filter.to_ns);
  const auto add = [&](std::string_view condition, const auto& value) {
    values.emplace_back(value);
    sql += Cat(" AND ", condition, " $", values.size());
  };
  if (!filter.robot.empty()) add("robot =", filter.robot);
  if (!filter.session.empty()) add("session =", filter.session);
  if (filter.mode) add("mode =", static_cast<int64_t>(*filter.mode));
  if (filter.reason) add("reason =", static_cast<int64_t>(*filter.reason));
  if (after) {
    values.emplace_back(after->first);
    values.emplace_back(after->second);
    const std::string at = Cat("$", values.size() - 1), id = Cat("$", values.size());
    sql += Cat(" AND (at_ns < ", at, " OR (at_ns = ", at, " AND id < ", id, "))");
  }
  values.emplace_back(int64_t{limit});
  sql += Cat(" ORDER BY at_ns DESC, id DESC LIMIT $", values.size());
  SAFERL_ASSIGN_OR_RETURN(const storage::Rows rows, database_->Query(sql, values));
  std::vector<KeptDecision> decisions;
  for (const storage::Row& row : rows.rows) decisions.push_back(FromRow(row));
  return decisions;
}

StatusOr<KeptDecision> DecisionStore::Get(const std::string& id) {
  SAFERL_ASSIGN_OR_RETURN(
      const storage::Rows rows,
      database_->Query(Cat("SELECT ", kColumns, ", record FROM decisions WHERE id = $1"), {id}));
  if (rows.rows.empty())
    return absl::NotFoundError(Cat("decision '", id, "' is not kept; of each robot the last ",
                                   options_.keep_per_robot, " are"));
  return FromRow(rows.rows[0]);
}

void DecisionStore::KeepFrame(const SessionInfo& session, uint64_t next,
                              const control::TickModel& model, const control::TickData& data) {
  auto frame = std::make_shared<Frame>();
  frame->next = next;
  frame->model = model;
  frame->model.time_stages = false;
  frame->data = control::Prepare(model);
  *frame->data = data;
  const std::lock_guard lock(frames_mutex_);
  frames_[session.id].push_back(std::move(frame));
  frame_order_.emplace_back(session.id, next);
  while (frame_order_.size() * sizeof(control::TickData) > options_.key_frame_bytes) {
    const auto [id, next_of] = frame_order_.front();
    frame_order_.pop_front();
    auto& of = frames_[id];
    std::erase_if(of, [at = next_of](const auto& f) { return f->next == at; });
    if (of.empty()) frames_.erase(id);
  }
}

StatusOr<std::shared_ptr<const DecisionStore::Frame>> DecisionStore::FrameFor(
    const std::string& session, uint64_t tick) {
  const std::lock_guard lock(frames_mutex_);
  std::shared_ptr<const Frame> best;
  if (const auto of = frames_.find(session); of != frames_.end())
    for (const auto& frame : of->second)
      if (frame->next <= tick && (best == nullptr || frame->next >= best->next)) best = frame;
  if (best == nullptr)
    return absl::FailedPreconditionError(
        "replay: the Tick's memory before this decision is not kept any more (it ends with the "
        "process that decided, and the oldest goes first); replay one of the last decisions");
  return best;
}

StatusOr<DecisionReplay> DecisionStore::Replay(const std::string& id) {
  SAFERL_ASSIGN_OR_RETURN(const KeptDecision asked, Get(id));
  SAFERL_ASSIGN_OR_RETURN(const auto frame, FrameFor(asked.head.session, asked.tick));
  SAFERL_ASSIGN_OR_RETURN(
      const storage::Rows rows,
      database_->Query(Cat("SELECT ", kColumns,
                           ", record FROM decisions WHERE session = $1 AND tick >= $2 AND tick <= "
                           "$3 ORDER BY tick"),
                       {asked.head.session, static_cast<int64_t>(frame->next),
                        static_cast<int64_t>(asked.tick)}));
  const auto data = control::Prepare(frame->model);
  *data = *frame->data;
  const control::DecisionShape shape = control::ShapeOf(*frame->model.safety->robot);
  const auto recorded = std::make_unique<control::Decision>();
  const auto again = std::make_unique<control::Decision>();
  DecisionReplay replay;
  replay.first_tick = frame->next;
  for (const storage::Row& row : rows.rows) {
    const KeptDecision kept = FromRow(row);
    if (kept.tick != frame->next + replay.ticks) break;
    SAFERL_RETURN_IF_ERROR(control::DecodeDecision(shape, kept.record, recorded.get()));
    control::Tick(frame->model, recorded->input, data.get(), again.get());
    ++replay.ticks;
    again->stage_ns = recorded->stage_ns;
    std::string bytes;
    control::EncodeDecision(shape, *again, &bytes);
    if (bytes == kept.record) continue;
    if (replay.different++ > 0) continue;
    replay.first_difference = kept.tick;
    if (control::SameCommand(recorded->command, again->command, &replay.difference))
      replay.difference = "the same command, but blend, filter or margins differ";
  }
  if (frame->next + replay.ticks != asked.tick + 1)
    return absl::FailedPreconditionError(
        Cat("replay: tick ", frame->next + replay.ticks, " of session ", asked.head.session,
            " is not kept, and what follows depends on it; replay one of the last decisions"));
  return replay;
}

}  // namespace saferl::services
