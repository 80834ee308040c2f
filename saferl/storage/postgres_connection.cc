#include "saferl/storage/postgres_connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <unordered_map>
#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/storage/adapters.h"
#include "saferl/storage/postgres_values.h"
#include "saferl/storage/pq_library.h"

namespace saferl::storage {
namespace {

constexpr size_t kMaxStatements = 256;
constexpr size_t kBatchRows = 500;  ///< rows between two answers of the server
constexpr int kOldestServer = 140000;
constexpr const char* kBegin = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";

struct FreeConnection {
  void operator()(PGconn* connection) const { Libpq().PQfinish(connection); }
};
struct FreeResult {
  void operator()(PGresult* result) const { Libpq().PQclear(result); }
};
using Handle = std::unique_ptr<PGconn, FreeConnection>;
using Result = std::unique_ptr<PGresult, FreeResult>;

std::string WithoutPassword(std::string message, const std::string& password) {
  for (size_t at = 0; !password.empty() && (at = message.find(password, at)) != message.npos;) {
    message.replace(at, password.size(), "***");
    at += 3;
  }
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  for (char& c : message) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return message;
}

/// The parameters of one call in libpq's arrays.
struct Arguments {
  explicit Arguments(std::span<const Value> values) : scratch(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) {
      types.push_back(PostgresTypeOf(values[i]));
      const std::string_view bytes = PostgresBytes(values[i], &scratch[i]);
      data.push_back(IsNull(values[i]) ? nullptr : bytes.empty() ? "" : bytes.data());
      lengths.push_back(static_cast<int>(bytes.size()));
      formats.push_back(1);
    }
  }
  int count() const { return static_cast<int>(data.size()); }
  std::vector<std::string> scratch;
  std::vector<Oid> types;
  std::vector<const char*> data;
  std::vector<int> lengths;
  std::vector<int> formats;
};

/// The SQLSTATE in "FATAL:  28P01: password authentication failed ...", empty where there is none.
std::string_view StateIn(std::string_view message) {
  const size_t severity = message.find(":  ");
  if (severity == std::string_view::npos) return {};
  const std::string_view state = message.substr(severity + 3, 6);
  return state.size() == 6 && state[5] == ':' ? state.substr(0, 5) : std::string_view();
}

/// What the server would take but must not: statements that reach beyond the transaction, and
/// more parameters than the text has.
Status CheckStatement(std::string_view sql, size_t parameters) {
  constexpr std::string_view kAdapters[] = {"BEGIN",  "START",     "COMMIT",  "END",  "ROLLBACK",
                                            "ABORT",  "SAVEPOINT", "RELEASE", "SET",  "RESET",
                                            "LISTEN", "PREPARE",   "DISCARD", "COPY", "DEALLOCATE"};
  const StatementWords words = WordsOf(sql);
  if (std::find(std::begin(kAdapters), std::end(kAdapters), words.first) != std::end(kAdapters)) {
    return absl::InvalidArgumentError(
        Cat("postgresql: ", words.first, " belongs to the adapter; use Transact"));
  }
  if (words.parameters == parameters) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat("postgresql: ", parameters, " parameters for ",
                                        words.parameters,
                                        "; give one for each; in: ", Excerpt(sql)));
}

class Connection final : public PostgresConnection {
 public:
  explicit Connection(const DatabaseOptions& options)
      : password_(options.password), limit_s_(options.statement_s), wait_s_(options.wait_s) {}

  Status Open(const std::string& url) {
    SAFERL_RETURN_IF_ERROR(Libpq().status());
    const char* keys[] = {"dbname", "password", "client_encoding", "fallback_application_name",
                          nullptr};
    const char* values[] = {url.c_str(), password_.empty() ? nullptr : password_.c_str(), "UTF8",
                            "saferl", nullptr};
    handle_.reset(Libpq().PQconnectStartParams(keys, values, 1));
    if (!handle_) return absl::ResourceExhaustedError("postgresql: no memory for a connection");
    Libpq().PQsetErrorVerbosity(handle_.get(), PQERRORS_VERBOSE);  // the only way to its SQLSTATE
    SAFERL_RETURN_IF_ERROR(FinishConnecting());
    Libpq().PQsetErrorVerbosity(handle_.get(), PQERRORS_DEFAULT);
    Libpq().PQsetNoticeProcessor(handle_.get(), [](void*, const char*) {}, nullptr);
    if (Libpq().PQserverVersion(handle_.get()) < kOldestServer) {
      return absl::FailedPreconditionError(Cat("postgresql: the server is of version ",
                                               Libpq().PQserverVersion(handle_.get()) / 10000,
                                               "; use 14 or later"));
    }
    if (Libpq().PQsetnonblocking(handle_.get(), 1) != 0 ||
        Libpq().PQenterPipelineMode(handle_.get()) != 1) {
      return Lost("cannot enter pipeline mode");
    }
    return SetSession();
  }

  void Begin() override { begin_ = true; }

  StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) override {
    return RunWith(sql, parameters, false);
  }

  StatusOr<Rows> RunAndCommit(std::string_view sql, std::span<const Value> parameters) override {
    begin_ = true;
    return RunWith(sql, parameters, true);
  }

  StatusOr<int64_t> RunBatch(std::string_view sql, std::span<const Row> parameters) override {
    int64_t changed = 0;
    for (const Row& row : parameters) {
      SAFERL_RETURN_IF_ERROR(CheckStatement(sql, row.size()));
      SAFERL_RETURN_IF_ERROR(CheckParameters(row));
    }
    for (size_t first = 0; first < parameters.size(); first += kBatchRows) {
      const size_t end = std::min(parameters.size(), first + kBatchRows);
      SAFERL_RETURN_IF_ERROR(Start());
      for (size_t i = first; i < end; ++i) {
        SAFERL_RETURN_IF_ERROR(SendStatement(sql, parameters[i]));
      }
      std::vector<Rows> answers;
      SAFERL_RETURN_IF_ERROR(Receive(sql, &answers));
      for (const Rows& rows : answers) changed += rows.changed;
    }
    return changed;
  }

  Status Commit() override {
    if (begin_) {  // nothing was sent
      begin_ = false;
      return absl::OkStatus();
    }
    if (broken_) return Lost("the server went away before the commit; nothing was written");
    SAFERL_RETURN_IF_ERROR(Start());
    SAFERL_RETURN_IF_ERROR(SendPlain("COMMIT"));
    std::vector<Rows> answers;
    return Uncertain(Receive("COMMIT", &answers));
  }

  void Rollback() override {
    begin_ = false;
    if (broken_ || Libpq().PQtransactionStatus(handle_.get()) == PQTRANS_IDLE) return;
    std::vector<Rows> answers;
    if (!Start().ok() || !SendPlain("ROLLBACK").ok() || !Receive("ROLLBACK", &answers).ok()) {
      broken_ = true;
    }
  }

  Status SetLimit(double seconds) override {
    limit_s_ = seconds;
    const std::string milliseconds = Cat(static_cast<int64_t>(seconds * 1000));
    return Run("SELECT set_config('statement_timeout', $1, false)", {{Value(milliseconds)}})
        .status();
  }

  void SetPatience(double seconds) override { patience_s_ = seconds; }

  bool Alive() override {
    // Nobody was asked anything: what can be read is a farewell or the end of the stream.
    pollfd waiting{Libpq().PQsocket(handle_.get()), POLLIN, 0};
    if (!broken_ && ::poll(&waiting, 1, 0) > 0) broken_ = true;
    return !broken_;
  }

  bool broken() const override { return broken_; }

 private:
  Status FinishConnecting() {
    deadline_ = Deadline::After(FromSeconds(wait_s_));
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (Libpq().PQstatus(handle_.get()) != CONNECTION_BAD) {
      if (next == PGRES_POLLING_OK) return absl::OkStatus();
      if (next == PGRES_POLLING_FAILED) break;
      if (!Wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
        return Lost(Cat("no answer to a connection for ", wait_s_, " s"));
      }
      next = Libpq().PQconnectPoll(handle_.get());
    }
    broken_ = true;
    std::string message = Libpq().PQerrorMessage(handle_.get());
    message.resize(std::min(message.size(), message.find("\nLOCATION")));
    message = WithoutPassword(std::move(message), password_);
    const std::string_view state = StateIn(message);
    const absl::StatusCode code =
        state.empty() ? absl::StatusCode::kUnavailable : PostgresCode(state);
    return {code, Cat("postgresql: ", message, "; check ",
                      code == absl::StatusCode::kUnavailable ? "that the server runs, its address"
                                                             : "the user, the password",
                      " and the database's name")};
  }

  Status SetSession() {
    // Reads are read-only unless a transaction says otherwise. A server that is told to answer
    // before its log is on disk is told to wait.
    constexpr const char* kSession =
        "SELECT set_config('default_transaction_read_only', 'on', false), "
        "set_config('statement_timeout', $1, false), "
        "set_config('idle_in_transaction_session_timeout', $2, false), "
        "set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
        "WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";
    const Value limits[] = {Cat(static_cast<int64_t>(limit_s_ * 1000)),
                            Cat(static_cast<int64_t>(limit_s_ * 2000))};
    return Run(kSession, limits).status();
  }

  StatusOr<Rows> RunWith(std::string_view sql, std::span<const Value> parameters, bool commit) {
    SAFERL_RETURN_IF_ERROR(CheckStatement(sql, parameters.size()));
    SAFERL_RETURN_IF_ERROR(CheckParameters(parameters));
    SAFERL_RETURN_IF_ERROR(Start());
    SAFERL_RETURN_IF_ERROR(SendStatement(sql, parameters));
    if (commit) SAFERL_RETURN_IF_ERROR(SendPlain("COMMIT"));
    std::vector<Rows> answers;
    Status received = Receive(sql, &answers);
    if (!received.ok()) return commit ? Uncertain(std::move(received)) : received;
    return std::move(answers[answers.size() - (commit ? 2 : 1)]);
  }

  /// A pipeline with its deadline, and BEGIN where one is due.
  Status Start() {
    if (broken_) return Lost("the connection is lost");
    deadline_ = Deadline::After(FromSeconds(AnswerLimit()));
    silent_ = 0;
    sent_ = 0;
    prepared_.clear();
    if (stale_ && Libpq().PQtransactionStatus(handle_.get()) == PQTRANS_IDLE) {
      stale_ = false;
      statements_.clear();
      SAFERL_RETURN_IF_ERROR(SendPlain("DEALLOCATE ALL"));
    }
    if (!begin_) return absl::OkStatus();
    begin_ = false;
    return SendPlain(kBegin);
  }

  Status SendPlain(const char* sql) {
    if (Libpq().PQsendQueryParams(handle_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1) !=
        1) {
      return Lost("cannot send");
    }
    ++sent_;
    return absl::OkStatus();
  }

  Status SendStatement(std::string_view sql, std::span<const Value> parameters) {
    const Arguments arguments(parameters);
    std::string key(sql);
    key.push_back('\0');
    for (const Oid type : arguments.types) key.append(Cat(type)).push_back(',');
    auto found = statements_.find(key);
    if (found == statements_.end()) {
      if (statements_.size() >= kMaxStatements) {
        SAFERL_RETURN_IF_ERROR(SendPlain("DEALLOCATE ALL"));
        statements_.clear();
      }
      const std::string name = Cat("s", ++names_);
      if (Libpq().PQsendPrepare(handle_.get(), name.c_str(), std::string(sql).c_str(),
                                arguments.count(), arguments.types.data()) != 1) {
        return Lost("cannot send");
      }
      prepared_.emplace_back(sent_++, key);
      found = statements_.emplace(std::move(key), name).first;
    }
    if (Libpq().PQsendQueryPrepared(handle_.get(), found->second.c_str(), arguments.count(),
                                    arguments.data.data(), arguments.lengths.data(),
                                    arguments.formats.data(), 1) != 1) {
      return Lost("cannot send");
    }
    ++sent_;
    return absl::OkStatus();
  }

  /// Flushes, then reads one answer for each that was sent, and the end of the pipeline. The first
  /// error counts; what the server skipped after it is read over.
  Status Receive(std::string_view sql, std::vector<Rows>* answers) {
    if (Libpq().PQpipelineSync(handle_.get()) != 1) return Lost("cannot send");
    SAFERL_RETURN_IF_ERROR(Flush());
    Status first_error;
    int failed_at = sent_;
    for (int i = 0; i < sent_; ++i) {
      Rows& rows = answers->emplace_back();
      while (true) {
        Result result;
        SAFERL_RETURN_IF_ERROR(Next(&result));
        if (!result) break;
        Status status = Read(sql, result.get(), &rows);
        if (first_error.ok() && !status.ok()) {
          first_error = std::move(status);
          failed_at = i;
        }
      }
    }
    Result end;
    SAFERL_RETURN_IF_ERROR(Next(&end));
    if (!end || Libpq().PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC) {
      return Lost("the server's answers are out of step");
    }
    for (const auto& [place, key] : prepared_) {
      if (place >= failed_at) statements_.erase(key);
    }
    return first_error;
  }

  Status Read(std::string_view sql, PGresult* result, Rows* rows) {
    switch (Libpq().PQresultStatus(result)) {
      case PGRES_COMMAND_OK: {
        const char* count = Libpq().PQcmdTuples(result);
        rows->changed = std::strtoll(count, nullptr, 10);
        return absl::OkStatus();
      }
      case PGRES_TUPLES_OK:
        return ReadRows(result, rows);
      case PGRES_PIPELINE_ABORTED:
        return absl::OkStatus();  // skipped; the error itself came before
      case PGRES_EMPTY_QUERY:
        return absl::InvalidArgumentError("postgresql: an empty statement; give one");
      default:
        return ErrorOf(sql, result);
    }
  }

  static Status ReadRows(PGresult* result, Rows* rows) {
    const std::string_view tag = Libpq().PQcmdStatus(result);
    if (!tag.starts_with("SELECT"))
      rows->changed = std::strtoll(Libpq().PQcmdTuples(result), nullptr, 10);
    const int columns = Libpq().PQnfields(result);
    for (int r = 0; r < Libpq().PQntuples(result); ++r) {
      Row& row = rows->rows.emplace_back();
      row.reserve(static_cast<size_t>(columns));
      for (int c = 0; c < columns; ++c) {
        if (Libpq().PQgetisnull(result, r, c) != 0) {
          row.emplace_back();
          continue;
        }
        const std::string_view bytes(Libpq().PQgetvalue(result, r, c),
                                     static_cast<size_t>(Libpq().PQgetlength(result, r, c)));
        StatusOr<Value> value = PostgresValue(Libpq().PQftype(result, c), bytes);
        if (!value.ok()) {
          return {value.status().code(),
                  Cat("column ", Libpq().PQfname(result, c), ": ", value.status().message())};
        }
        row.push_back(*std::move(value));
      }
    }
    return absl::OkStatus();
  }

  Status ErrorOf(std::string_view sql, PGresult* result) {
    const char* state = Libpq().PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* primary = Libpq().PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == nullptr) return Lost(Libpq().PQresultErrorMessage(result));
    const std::string_view code = state;
    // The server ends the session after these.
    if (code.starts_with("57P") || code == "25P03") broken_ = true;
    const std::string text = WithoutPassword(primary ? primary : "", password_);
    if (code == "0A000" && text.starts_with("cached plan must not change")) {
      // Another program has changed the table: prepare anew, as after a conflict.
      stale_ = true;
      return absl::AbortedError(Cat("postgresql: ", text, "; try again"));
    }
    return {PostgresCode(code), Cat("postgresql: ", text, " (", code, "); in: ", Excerpt(sql))};
  }

  Status Flush() {
    while (true) {
      const int left = Libpq().PQflush(handle_.get());
      if (left == 0) return absl::OkStatus();
      if (left < 0) return Lost("cannot send");
      // Reading meanwhile: else both sides may wait for the other to take what it sent.
      if (!Wait(POLLIN | POLLOUT)) return TimedOut();
      if (Libpq().PQconsumeInput(handle_.get()) != 1) return Lost("the connection broke");
    }
  }

  Status Next(Result* result) {
    while (Libpq().PQisBusy(handle_.get()) != 0) {
      if (!Wait(POLLIN)) return TimedOut();
      if (Libpq().PQconsumeInput(handle_.get()) != 1) return Lost("the connection broke");
    }
    result->reset(Libpq().PQgetResult(handle_.get()));
    // Without an answer that a connection lost in between could still give.
    if (!*result && Libpq().PQstatus(handle_.get()) == CONNECTION_BAD) {
      return Lost("the connection broke");
    }
    if (!*result && ++silent_ > sent_ + 1) return Lost("the server's answers are out of step");
    return absl::OkStatus();
  }

  bool Wait(int events) {
    while (true) {
      pollfd waiting{Libpq().PQsocket(handle_.get()), static_cast<short>(events), 0};
      const int64_t left_ms = deadline_.Left(Nanos()) / 1'000'000;
      if (left_ms <= 0) return false;
      const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000)));
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) return false;
    }
  }

  Status Lost(std::string_view what) {
    broken_ = true;
    std::string why =
        handle_ ? WithoutPassword(Libpq().PQerrorMessage(handle_.get()), password_) : "";
    if (!why.empty()) why = Cat(": ", why);
    return absl::UnavailableError(Cat("postgresql: ", WithoutPassword(std::string(what), password_),
                                      why, "; it is tried again with the next call"));
  }

  double AnswerLimit() const { return std::min(limit_s_ + wait_s_, patience_s_); }
  Status TimedOut() { return Lost(Cat("no answer for ", AnswerLimit(), " s")); }

  /// What a failure during a commit means: the server may have written all of it.
  Status Uncertain(Status status) const {
    if (status.ok() || !broken_) return status;
    return absl::UnknownError(
        Cat(status.message(), "; the commit was on its way: look whether it is there"));
  }

  const std::string password_;
  double limit_s_, patience_s_ = 1e9;
  const double wait_s_;
  Handle handle_;
  std::unordered_map<std::string, std::string> statements_;  ///< text and types -> name
  std::vector<std::pair<int, std::string>> prepared_;        ///< in this pipeline: place, key
  uint64_t names_ = 0;
  Deadline deadline_ = Deadline::Never();
  int sent_ = 0;
  int silent_ = 0;
  bool begin_ = false;
  bool broken_ = false;
  bool stale_ = false;  ///< a prepared statement no longer fits its table
};

}  // namespace

Status PostgresConnection::CheckUrl(const std::string& url) {
  SAFERL_RETURN_IF_ERROR(Libpq().status());
  char* message = nullptr;
  PQconninfoOption* parsed = Libpq().PQconninfoParse(url.c_str(), &message);
  const bool valid = parsed != nullptr;
  Libpq().PQconninfoFree(parsed);
  Libpq().PQfreemem(message);
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "database: url: not a connection URI; use postgresql://user@host:port/name?key=value with "
      "reserved characters as %XX");
}

StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    const DatabaseOptions& options) {
  auto connection = std::make_unique<Connection>(options);
  SAFERL_RETURN_IF_ERROR(connection->Open(options.url));
  return std::unique_ptr<PostgresConnection>(std::move(connection));
}

}  // namespace saferl::storage
