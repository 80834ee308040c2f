#include "saferl/services/rollouts/rollout_routes.h"

#include <cmath>

#include <algorithm>

#include "saferl/base/config.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/registry/describe.h"
#include "saferl/services/api/api_route.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;
using registry::Rollout;

constexpr std::string_view kPath = "/api/v1/rollouts";
constexpr std::string_view kItemSchema =
    R"({"type":"object","properties":{"id":{"type":"string"},"model":{"type":"string"},)"
    R"("to":{"type":"integer"},"from":{"type":"integer","description":"0: there was no stable version"},)"
    R"("active":{"type":"boolean"},"phase":{"type":"string"},"share":{"type":"number","description":"of robots that may run `to`"},)"
    R"("who":{"type":"string"},"started":{"type":"string"},"updated":{"type":"string"},)"
    R"("plan":{"type":"object"},"state":{"type":"object"}}})";
constexpr std::string_view kShowSchema =
    R"({"type":"object","properties":{"rollout":{"type":"object"},"journal":{"type":"array","items":{"type":"object"}}}})";
constexpr std::string_view kJudgementSchema =
    R"({"type":"object","properties":{"canary_h":{"type":"number","description":"robot hours since robots run it"},)"
    R"("stable_h":{"type":"number"},"step_canary_h":{"type":"number","description":"in this step"},)"
    R"("needed_h":{"type":"number"},"gates":{"type":"array","items":{"type":"object","properties":{)"
    R"("kind":{"type":"string"},"canary":{"type":"integer"},"stable":{"type":"integer"},)"
    R"("canary_at_most_per_h":{"type":["number","null"],"description":"the canary's rate is shown to be below, at 95 %"},"log_e":{"type":"number"},)"
    R"("reject_at":{"type":"number"},"log_e_fine":{"type":"number"},"accept_at":{"type":"number"},)"
    R"("rejects":{"type":"boolean"},"accepts":{"type":"boolean"}}}},)"
    R"("next":{"type":["object","null"],"properties":{"event":{"type":"string"},"reason":{"type":"string"}}}}})";
constexpr std::string_view kDeploySchema =
    R"({"type":"object","additionalProperties":false,"required":["model","who"],"properties":{)"
    R"("model":{"type":"string"},"version":{"type":"string","description":"a number or an alias; without it the newest"},)"
    R"("strategy":{"enum":["canary","shadow","blue-green","rolling"]},"who":{"type":"string"},)"
    R"("canary_percentage":{"type":"number","minimum":0.1,"maximum":100},"approvals":{"type":"integer","minimum":0,"maximum":5},)"
    R"("shadow":{"type":"boolean"},"min_dwell_s":{"type":"number"},"min_exposure_h":{"type":"number"},)"
    R"("bake_s":{"type":"number"},"max_hold_s":{"type":"number"},"lease_s":{"type":"number"}}})";
constexpr std::string_view kActSchema =
    R"({"type":"object","additionalProperties":false,"required":["who"],"properties":{)"
    R"("who":{"type":"string"},"reason":{"type":"string","maxLength":1000}}})";
constexpr std::string_view kPromoteSchema =
    R"({"type":"object","additionalProperties":false,"required":["who"],"properties":{)"
    R"("who":{"type":"string"},"reason":{"type":"string","maxLength":1000},)"
    R"("force":{"type":"boolean","description":"go on without the gates; needs a reason"}}})";
constexpr size_t kMaxReason = 1000;

struct DeployBody {
  std::string model, version, who;
  PlanWishes wishes;
  template <class V>
  static void Visit(V& v, DeployBody& b) {
    PlanWishes& w = b.wishes;
    v.Field("model", b.model, {.doc = "its name", .required = true});
    v.Field("version", b.version, {.doc = "a number or an alias"});
    v.Field("who", b.who, {.doc = "who does this", .required = true});
    v.Field("strategy", w.strategy, {.doc = "canary, shadow, blue-green or rolling"});
    v.Field("canary_percentage", w.canary_percentage, {.doc = "first", .min = 0.1, .max = 100});
    v.Field("approvals", w.approvals, {.doc = "people who must agree", .min = 0, .max = 5});
    v.Field("shadow", w.shadow, {.doc = "begin in the shadow"});
    v.Field("min_dwell_s", w.min_dwell_s, {.doc = "in each step", .min = 0, .max = 1e7});
    v.Field("min_exposure_h", w.min_exposure_h, {.doc = "in each step", .min = 0, .max = 1e7});
    v.Field("bake_s", w.bake_s, {.doc = "on all robots", .min = 0, .max = 1e7});
    v.Field("max_hold_s", w.max_hold_s, {.doc = "then back", .min = 0, .max = 1e7});
    v.Field("lease_s", w.lease_s, {.doc = "without hearing from us", .min = 0, .max = 1e7});
  }
};

struct ActBody {
  Act act;
  bool force = false;
  template <class V>
  static void Visit(V& v, ActBody& b) {
    v.Field("who", b.act.who, {.doc = "who does this", .required = true});
    v.Field("reason", b.act.reason, {.doc = "why"});
    v.Field("force", b.force, {.doc = "go on without the gates"});
  }
};

std::vector<net::FieldSpec> ListFields() {
  std::vector<net::FieldSpec> fields = PageFields();
  fields.push_back({.name = "model", .type = "string", .doc = "of this model"});
  fields.push_back({.name = "phase", .type = "string", .doc = "shadow, canary, promoted, ..."});
  fields.push_back({.name = "active", .type = "boolean", .doc = "true: only those that go on"});
  return fields;
}

std::string RolloutJson(const Rollout& rollout) {
  JsonWriter w;
  Write(rollout, &w);
  return w.Take();
}

/// A rule refuses: 409. 412 is If-Match's.
Response Refused(const Request& request, const Status& status) {
  return absl::IsFailedPrecondition(status) ? Problem(request, 409, "", Cat(status.message()))
                                            : Problem(request, status);
}

class Rollouts {
 public:
  Rollouts(const RolloutParts& parts, const ServiceConfig& config)
      : parts_(parts), config_(config), rollouts_(parts.store) {}

  Response List(const Request& request) {
    const auto read = [&](const Page& page, int rows) -> StatusOr<std::vector<Rollout>> {
      SAFERL_ASSIGN_OR_RETURN(const auto after, AfterTime(page));
      std::optional<registry::Phase> phase;
      if (const std::string* name = request.Query("phase")) {
        SAFERL_ASSIGN_OR_RETURN(phase, registry::ParsePhase(*name));
      }
      const std::string* active = request.Query("active");
      if (active != nullptr && *active != "true" && *active != "false")
        return absl::InvalidArgumentError("active: not true or false");
      const std::string* model = request.Query("model");
      return rollouts_.Page(model == nullptr ? "" : *model, active != nullptr && *active == "true",
                            phase, rows, after);
    };
    return ListPage(request, 2, read, RolloutJson,
                    [](const Rollout& r) { return std::vector{Cat(r.created_ns), r.id}; });
  }

  Response Create(const Request& request) {
    const auto node = ParseJson(request.body, "body");
    if (!node.ok()) return Problem(request, node.status());
    const auto body = config::Read<DeployBody>(*node);
    if (!body.ok()) return Problem(request, body.status());
    const auto plan = PlanOf(body->wishes);
    if (!plan.ok()) return Problem(request, plan.status());
    const auto version = VersionToDeploy(*parts_.store, body->model, body->version);
    if (!version.ok()) return Problem(request, version.status());
    const auto made = Deploy(config_, parts_.store, *version, *plan, body->who);
    if (!made.ok()) return Refused(request, made.status());
    Response response = Response::Json(RolloutJson(*made), 201);
    response.headers.Set("Location", Cat(kPath, "/", made->id));
    const auto shown = Show(made->id);
    if (shown.ok()) response.headers.Set("ETag", ETagOf(*shown));
    return response;
  }

  Response Get(const Request& request) {
    const auto shown = Show(request.Param("rollout"));
    if (!shown.ok()) return Problem(request, shown.status());
    return WithETag(request, Response::Json(*shown));
  }

  Response Judgement(const Request& request) {
    const auto json = JudgementJson(request.Param("rollout"));
    return json.ok() ? Response::Json(*json) : Problem(request, json.status());
  }

  enum class What { kPromote, kPause, kRollback, kQuarantine };
  Response Change(const Request& request, What what) {
    const auto node = ParseJson(request.body, "body");
    if (!node.ok()) return Problem(request, node.status());
    if (what != What::kPromote && node->Find("force") != nullptr)
      return Problem(request, 400, "", "force: is of promote only; leave it out");
    const auto body = config::Read<ActBody>(*node);
    if (!body.ok()) return Problem(request, body.status());
    if (body->act.reason.size() > kMaxReason)
      return Problem(request, 400, "", Cat("reason: longer than ", kMaxReason, " bytes"));
    const std::string& id = request.Param("rollout");
    const auto rollout = rollouts_.Find(id);
    if (!rollout.ok()) return Problem(request, rollout.status());
    const auto before = Show(id);
    if (!before.ok()) return Problem(request, before.status());
    if (const Status match = CheckIfMatch(request, ETagOf(*before)); !match.ok())
      return Problem(request, match);
    const auto changed =
        what == What::kPromote ? Promote(config_, parts_.store, *rollout, body->force, body->act)
        : what == What::kPause
            ? Pause(parts_.store, *rollout, body->act)
            : Rollback(parts_.store, *rollout, what == What::kQuarantine, body->act);
    if (!changed.ok()) return Refused(request, changed.status());
    const auto after = Show(id);
    if (!after.ok()) return Problem(request, after.status());
    Response response = Response::Json(*after);
    response.headers.Set("ETag", ETagOf(*after));
    return response;
  }

 private:
  StatusOr<std::string> Show(const std::string& id) {
    SAFERL_ASSIGN_OR_RETURN(const Rollout rollout, rollouts_.Find(id));
    SAFERL_ASSIGN_OR_RETURN(const auto journal, rollouts_.Journal(id));
    JsonWriter w;
    w.BeginObject().Key("rollout");
    Write(rollout, &w);
    w.Key("journal").BeginArray();
    for (const registry::JournalEntry& entry : journal) Write(entry, &w);
    return w.EndArray().EndObject().Take();
  }

  StatusOr<std::string> JudgementJson(const std::string& id) {
    SAFERL_ASSIGN_OR_RETURN(const Rollout rollout, rollouts_.Find(id));
    SAFERL_ASSIGN_OR_RETURN(const auto journal, rollouts_.Journal(id));
    // Of a rollout that has ended all that is kept is one sum.
    const StageTimes times = rollout.active ? TimesOf(journal) : StageTimes{};
    SAFERL_ASSIGN_OR_RETURN(const ArmEvidence all, parts_.evidence->Read(rollout, times.judged_ns));
    SAFERL_ASSIGN_OR_RETURN(const ArmEvidence step,
                            parts_.evidence->Read(rollout, times.entered_ns));
    JsonWriter w;
    w.BeginObject().Field("canary_h", all.canary_h).Field("stable_h", all.stable_h);
    w.Field("step_canary_h", step.canary_h).Field("needed_h", rollout.plan.min_exposure_h);
    w.Key("gates").BeginArray();
    for (const GateReading& gate : ReadGates(all, parts_.rules)) {
      w.BeginObject().Field("kind", gate.kind);
      w.Field("canary", gate.canary).Field("stable", gate.stable);
      w.Key("canary_at_most_per_h");
      std::isfinite(gate.at_most_per_h) ? w.Value(gate.at_most_per_h) : w.Null();
      w.Field("log_e", gate.log_e).Field("reject_at", gate.reject_at);
      w.Field("log_e_fine", gate.log_e_fine).Field("accept_at", gate.accept_at);
      w.Field("rejects", gate.rejects).Field("accepts", gate.accepts).EndObject();
    }
    w.EndArray().Key("next");
    std::optional<RolloutVerdict> next;
    if (rollout.active)
      next = JudgeRollout(rollout, times, all, step, parts_.store->now(), parts_.rules);
    if (next) {
      w.BeginObject().Field("event", Name(next->event)).Field("reason", next->reason).EndObject();
    } else {
      w.Null();
    }
    return w.EndObject().Take();
  }

  const RolloutParts parts_;
  const ServiceConfig config_;
  registry::RolloutStore rollouts_;
};

}  // namespace

void AddRolloutRoutes(const RolloutParts& parts, const ServiceConfig& config, net::Router* router) {
  const auto rollouts = std::make_shared<Rollouts>(parts, config);
  Idempotency* idempotency = parts.idempotency;
  const std::string path(kPath), one = Cat(kPath, "/{rollout}");
  const auto make = [](net::Method method, const std::string& pattern, const char* id,
                       const char* summary, net::Handler handler) {
    return ApiRoute(method, pattern, id, summary, std::move(handler), "rollouts");
  };
  net::Route list = make(net::Method::kGet, path, "listRollouts", "Rollouts, newest first",
                         [rollouts](const Request& r) { return rollouts->List(r); });
  list.query = ListFields();
  list.response_schema = PageSchema(kItemSchema);
  router->Add(std::move(list));
  net::Route create = make(net::Method::kPost, path, "deploy", "Starts to roll a version out",
                           [rollouts](const Request& r) { return rollouts->Create(r); });
  create.request_schema = kDeploySchema;
  create.response_schema = kItemSchema;
  create.errors = {404, 409};
  ListsNewETag(&create);
  idempotency->Once(&create);
  router->Add(std::move(create));
  net::Route get = make(net::Method::kGet, one, "getRollout", "A rollout and its journal",
                        [rollouts](const Request& r) { return rollouts->Get(r); });
  get.response_schema = kShowSchema;
  get.errors = {404};
  ListsETag(&get);
  router->Add(std::move(get));
  net::Route judgement = make(net::Method::kGet, one + "/judgement", "getJudgement",
                              "What its evidence says so far, and what the controller would do now",
                              [rollouts](const Request& r) { return rollouts->Judgement(r); });
  judgement.response_schema = kJudgementSchema;
  judgement.errors = {404};
  router->Add(std::move(judgement));
  const auto change = [&](const char* verb, const char* id, const char* summary,
                          std::string_view schema, Rollouts::What what) {
    net::Route route =
        make(net::Method::kPost, Cat(one, "/", verb), id, summary,
             [rollouts, what](const Request& r) { return rollouts->Change(r, what); });
    route.request_schema = schema;
    route.response_schema = kShowSchema;
    route.errors = {404, 409};
    ListsIfMatch(&route);
    idempotency->Once(&route);
    router->Add(std::move(route));
  };
  change("promote", "promoteRollout",
         "Lets it go on: approves it, ends a hold, or overrides its gates", kPromoteSchema,
         Rollouts::What::kPromote);
  change("pause", "pauseRollout",
         "Holds it where it is; promote lets it go on. Longer than the plan's max_hold_s: it goes "
         "back",
         kActSchema, Rollouts::What::kPause);
  change("rollback", "rollBackRollout", "Takes it back: every robot returns to the stable version",
         kActSchema, Rollouts::What::kRollback);
  change("quarantine", "quarantineRollout",
         "Takes it back and blocks the version from being rolled out again", kActSchema,
         Rollouts::What::kQuarantine);
}

}  // namespace saferl::services
