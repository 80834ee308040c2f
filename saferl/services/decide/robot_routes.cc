#include "saferl/base/clock.h"
#include "saferl/base/config.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"
#include "saferl/services/decide/resource_routes.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;
using storage::AsInt;
using storage::AsText;

constexpr std::string_view kPath = "/api/v1/robots";
constexpr std::string_view kRobotSchema =
    R"({"type":"object","properties":{"id":{"type":"string"},"type":{"type":"string"},)"
    R"("description":{"type":"string"},"created_ns":{"type":"integer"},)"
    R"("updated_ns":{"type":"integer"}}})";
constexpr std::string_view kCreateSchema =
    R"({"type":"object","additionalProperties":false,"required":["id","type"],"properties":{)"
    R"("id":{"type":"string"},"type":{"type":"string"},"description":{"type":"string","maxLength":1000}}})";
constexpr std::string_view kPutSchema =
    R"({"type":"object","additionalProperties":false,"required":["type"],"properties":{)"
    R"("type":{"type":"string"},"description":{"type":"string","maxLength":1000}}})";
constexpr std::string_view kColumns = "id, type, description, created_ns, updated_ns";
constexpr size_t kMaxDescription = 1000;

constexpr storage::Migration kMigrations[] = {
    {1, "robots",
     "CREATE TABLE robots (id text NOT NULL PRIMARY KEY, type text NOT NULL, description text NOT "
     "NULL, created_ns bigint NOT NULL, updated_ns bigint NOT NULL)"}};

struct PutBody {
  std::string type, description;
  template <class V>
  static void Visit(V& v, PutBody& b) {
    v.Field("type", b.type, {.doc = "wheelchair, arm7, ...", .required = true});
    v.Field("description", b.description, {.doc = "for people"});
  }
};
struct CreateBody {
  std::string id;
  PutBody robot;
  template <class V>
  static void Visit(V& v, CreateBody& b) {
    v.Field("id", b.id, {.doc = "the robot's id", .required = true});
    PutBody::Visit(v, b.robot);
  }
};

std::string RobotJson(const storage::Row& row) {
  JsonWriter w;
  w.BeginObject().Field("id", AsText(row[0])).Field("type", AsText(row[1]));
  w.Field("description", AsText(row[2])).Field("created_ns", AsInt(row[3]));
  return w.Field("updated_ns", AsInt(row[4])).EndObject().Take();
}

class Robots {
 public:
  Robots(storage::Database* database, Sessions* sessions)
      : database_(database), sessions_(sessions) {}

  Response List(const Request& request) {
    const auto read = [&](const Page& page, int rows) -> StatusOr<std::vector<storage::Row>> {
      SAFERL_ASSIGN_OR_RETURN(
          storage::Rows found,
          database_->Query(
              Cat("SELECT ", kColumns,
                  " FROM robots WHERE id COLLATE \"C\" > $1 ORDER BY id COLLATE \"C\" LIMIT $2"),
              {page.after.empty() ? std::string() : page.after[0], int64_t{rows}}));
      return std::move(found.rows);
    };
    return ListPage(request, 1, read, RobotJson,
                    [](const storage::Row& row) { return std::vector{AsText(row[0])}; });
  }

  Response Create(const Request& request) {
    const auto node = ParseJson(request.body, "body");
    if (!node.ok()) return Problem(request, node.status());
    const auto body = config::Read<CreateBody>(*node);
    if (!body.ok()) return Problem(request, body.status());
    if (!IsModelName(body->id))
      return Problem(request, 400, "",
                     "id: not a name of 1 to 64 characters A-Z a-z 0-9 . _ -; correct it");
    if (const Status good = CheckBody(body->robot); !good.ok()) return Problem(request, good);
    const int64_t now = WallNanos();
    const storage::Row row = {body->id, body->robot.type, body->robot.description, now, now};
    const auto made =
        database_->Execute(Cat("INSERT INTO robots (", kColumns,
                               ") VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING"),
                           row);
    if (!made.ok()) return Problem(request, made.status());
    if (made->changed == 0)
      return Problem(request, 409, "",
                     Cat("id: robot '", body->id, "' is there already; change it with PUT"));
    Response response = Response::Json(RobotJson(row), 201);
    response.headers.Set("Location", Cat(kPath, "/", body->id));
    response.headers.Set("ETag", ETagOf(response.body));
    return response;
  }

  Response Get(const Request& request) {
    const auto row = Find(request.Param("robot"));
    if (!row.ok()) return Problem(request, row.status());
    return WithETag(request, Response::Json(RobotJson(*row)));
  }

  Response Put(const Request& request) {
    const auto node = ParseJson(request.body, "body");
    if (!node.ok()) return Problem(request, node.status());
    const auto body = config::Read<PutBody>(*node);
    if (!body.ok()) return Problem(request, body.status());
    if (const Status good = CheckBody(*body); !good.ok()) return Problem(request, good);
    const std::string& id = request.Param("robot");
    storage::Row now;
    const Status changed = Change(request, id, [&](storage::Transaction& t, storage::Row row) {
      row[1] = body->type;
      row[2] = body->description;
      row[4] = WallNanos();
      now = row;
      return t
          .Execute("UPDATE robots SET type = $1, description = $2, updated_ns = $3 WHERE id = $4",
                   {row[1], row[2], row[4], id})
          .status();
    });
    if (!changed.ok()) return Problem(request, changed);
    Response response = Response::Json(RobotJson(now));
    response.headers.Set("ETag", ETagOf(response.body));
    return response;
  }

  Response Delete(const Request& request) {
    const std::string& id = request.Param("robot");
    if (sessions_->Find(id).ok())
      return Problem(
          request, 409, "",
          Cat("robot '", id, "' has a session; end it first (DELETE /api/v1/sessions/", id, ")"));
    const Status changed = Change(request, id, [&](storage::Transaction& t, const storage::Row&) {
      return t.Execute("DELETE FROM robots WHERE id = $1", {id}).status();
    });
    if (!changed.ok()) return Problem(request, changed);
    Response response;
    response.status = 204;
    return response;
  }

 private:
  Status CheckBody(const PutBody& body) {
    if (body.description.size() > kMaxDescription)
      return absl::InvalidArgumentError(
          Cat("description: longer than ", kMaxDescription, " bytes; shorten it"));
    return sessions_->RobotOf(body.type).status();
  }
  static Status Missing(const std::string& id) {
    return absl::NotFoundError(Cat("robot '", id, "' is not known; POST ", kPath, " makes it"));
  }
  StatusOr<storage::Row> Find(const std::string& id) {
    SAFERL_ASSIGN_OR_RETURN(
        storage::Rows found,
        database_->Query(Cat("SELECT ", kColumns, " FROM robots WHERE id = $1"), {id}));
    if (found.rows.empty()) return Missing(id);
    return std::move(found.rows[0]);
  }
  /// Reads, compares with If-Match and changes in one transaction.
  template <class F>
  Status Change(const Request& request, const std::string& id, F change) {
    return database_->Transact([&](storage::Transaction& t) -> Status {
      SAFERL_ASSIGN_OR_RETURN(
          const storage::Rows found,
          t.Execute(Cat("SELECT ", kColumns, " FROM robots WHERE id = $1"), {id}));
      if (found.rows.empty()) return Missing(id);
      SAFERL_RETURN_IF_ERROR(CheckIfMatch(request, ETagOf(RobotJson(found.rows[0]))));
      return change(t, found.rows[0]);
    });
  }

  storage::Database* database_;
  Sessions* sessions_;
};

}  // namespace

Status AddRobotRoutes(storage::Database* database, Sessions* sessions, Idempotency* idempotency,
                      net::Router* router) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("robots", kMigrations, database));
  const auto robots = std::make_shared<Robots>(database, sessions);
  const std::string one = Cat(kPath, "/{robot}");
  net::Route list = ApiRoute(net::Method::kGet, std::string(kPath), "listRobots", "Robots by id",
                             [robots](const Request& request) { return robots->List(request); });
  list.query = PageFields();
  list.response_schema = PageSchema(kRobotSchema);
  router->Add(std::move(list));
  net::Route create =
      ApiRoute(net::Method::kPost, std::string(kPath), "createRobot", "Makes a robot known",
               [robots](const Request& request) { return robots->Create(request); });
  create.request_schema = kCreateSchema;
  create.response_schema = kRobotSchema;
  create.errors = {409};
  ListsNewETag(&create);
  idempotency->Once(&create);
  router->Add(std::move(create));
  net::Route get = ApiRoute(net::Method::kGet, one, "getRobot", "A robot",
                            [robots](const Request& request) { return robots->Get(request); });
  get.response_schema = kRobotSchema;
  get.errors = {404};
  ListsETag(&get);
  router->Add(std::move(get));
  net::Route put = ApiRoute(net::Method::kPut, one, "putRobot", "Replaces a robot's description",
                            [robots](const Request& request) { return robots->Put(request); });
  put.request_schema = kPutSchema;
  put.response_schema = kRobotSchema;
  put.errors = {404};
  ListsIfMatch(&put);
  router->Add(std::move(put));
  net::Route erase = ApiRoute(net::Method::kDelete, one, "deleteRobot", "Forgets a robot",
                              [robots](const Request& request) { return robots->Delete(request); });
  erase.success = {204};
  erase.errors = {404, 409};
  ListsIfMatch(&erase);
  router->Add(std::move(erase));
  return absl::OkStatus();
}

}  // namespace saferl::services
