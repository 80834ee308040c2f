#include "saferl/services/api/idempotency.h"

#include <algorithm>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using net::Response;
using storage::AsInt;
using storage::AsText;

constexpr int64_t kKept_ns = 24 * 3600 * kNanosPerSecond;
constexpr int64_t kAbandoned_ns = 60 * kNanosPerSecond;  // a server's request never takes as long
constexpr size_t kMaxKey = 255;
constexpr const char* kCarried[] = {"Location", "ETag"};

constexpr storage::Migration kMigrations[] = {
    {1, "keys",
     "CREATE TABLE idempotency_keys (idempotency_key text NOT NULL PRIMARY KEY, fingerprint text "
     "NOT NULL, at_ns bigint NOT NULL, status bigint NOT NULL, content_type text NOT NULL, "
     "location text NOT NULL, etag text NOT NULL, body text NOT NULL);\n"
     "CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at_ns)"}};

bool IsKey(std::string_view key) {
  return !key.empty() && key.size() <= kMaxKey &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

StatusOr<std::unique_ptr<Idempotency>> Idempotency::Open(storage::Database* database) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("idempotency", kMigrations, database));
  return std::unique_ptr<Idempotency>(new Idempotency(database));
}

void Idempotency::Once(net::Route* route) {
  route->headers.push_back({.name = "Idempotency-Key",
                            .type = "string",
                            .doc =
                                "1 to 255 visible ASCII characters, a UUID; the same key again is "
                                "answered as the first time, for 24 h"});
  route->answer_headers.push_back({.name = "Idempotency-Replayed",
                                   .type = "string",
                                   .doc = "true: the answer of the first request with this key"});
  route->errors.insert(route->errors.end(), {409, 422});
  route->handler = [this, handler = std::move(route->handler)](const net::Request& request) {
    return Run(request, handler);
  };
}

Response Idempotency::Again(const net::Request& request, const std::string& key,
                            const std::string& fingerprint) {
  const auto found = database_->Query(
      "SELECT fingerprint, status, content_type, location, etag, body FROM idempotency_keys WHERE "
      "idempotency_key = $1",
      {key});
  if (!found.ok()) return Problem(request, found.status());
  if (found->rows.empty() || AsInt(found->rows[0][1]) == 0) {
    if (!found->rows.empty() && AsText(found->rows[0][0]) != fingerprint)
      return Problem(request, 422, "", "Idempotency-Key: used for another request; make a new key");
    Response busy = Problem(request, 409, "",
                            "Idempotency-Key: the first request with it still runs; ask again");
    busy.headers.Set("Retry-After", "1");
    return busy;
  }
  const storage::Row& row = found->rows[0];
  if (AsText(row[0]) != fingerprint)
    return Problem(request, 422, "",
                   "Idempotency-Key: used for another method, path, query or body; make a new key");
  Response response;
  response.status = static_cast<int>(AsInt(row[1]));
  response.content_type = AsText(row[2]);
  response.body = AsText(row[5]);
  for (size_t i = 0; i < std::size(kCarried); ++i)
    if (!AsText(row[3 + i]).empty()) response.headers.Set(kCarried[i], AsText(row[3 + i]));
  response.headers.Set("Idempotency-Replayed", "true");
  return response;
}

Response Idempotency::Run(const net::Request& request,
                          const std::function<Response(const net::Request&)>& handler) {
  const std::string* key = request.Header("Idempotency-Key");
  if (key == nullptr) return handler(request);
  if (!IsKey(*key))
    return Problem(request, 400, "",
                   "Idempotency-Key: not 1 to 255 visible ASCII characters; send a UUID");
  std::string said = Cat(net::Name(request.method), "\n", request.path);
  for (const auto& [name, value] : request.query)
    said += Cat("?", name.size(), ":", name, value.size(), ":", value);
  const std::string fingerprint = Sha256Hex(Cat(said, "\n", request.body));
  const int64_t now = WallNanos();
  bool first = false;
  const Status reserved = database_->Transact([&](storage::Transaction& t) -> Status {
    first = false;
    SAFERL_RETURN_IF_ERROR(
        t.Execute("DELETE FROM idempotency_keys WHERE at_ns < $1 OR (idempotency_key = $2 AND "
                  "status = 0 AND at_ns < $3)",
                  {now - kKept_ns, *key, now - kAbandoned_ns})
            .status());
    SAFERL_ASSIGN_OR_RETURN(
        const storage::Rows rows,
        t.Execute("INSERT INTO idempotency_keys (idempotency_key, fingerprint, at_ns, status, "
                  "content_type, location, etag, body) VALUES ($1, $2, $3, 0, '', '', '', '') "
                  "ON CONFLICT (idempotency_key) DO NOTHING",
                  {*key, fingerprint, now}));
    first = rows.changed == 1;
    return absl::OkStatus();
  });
  if (!reserved.ok()) return Problem(request, reserved);
  if (!first) return Again(request, *key, fingerprint);
  Response response = handler(request);
  const auto carried = [&response](const char* name) {
    const std::string* value = response.headers.Find(name);
    return value == nullptr ? std::string() : *value;
  };
  const Status kept =
      response.status >= 500
          ? database_->Execute("DELETE FROM idempotency_keys WHERE idempotency_key = $1", {*key})
                .status()
          : database_
                ->Execute(
                    "UPDATE idempotency_keys SET status = $1, content_type = $2, location = "
                    "$3, etag = $4, body = $5 WHERE idempotency_key = $6",
                    {int64_t{response.status}, response.content_type, carried(kCarried[0]),
                     carried(kCarried[1]), response.body, *key})
                .status();
  if (!kept.ok())
    Log(LogLevel::kError, "answer not kept for its idempotency key",
        {{"request", request.request_id}, {"why", Cat(kept.message())}});
  return response;
}

}  // namespace saferl::services
