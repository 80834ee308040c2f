#include "saferl/services/decide/decide_service.h"

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/services/decide/resource_routes.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr size_t kMaxRequest = 64 << 10;  // 360 beams and 32 body parts take about 12 KiB

std::string Batched(std::string_view item_schema, std::string_view name, int most) {
  return Cat(R"({"type":"object","additionalProperties":false,"required":[")", name,
             R"("],"properties":{")", name, R"(":{"type":"array","minItems":1,"maxItems":)", most,
             R"(,"items":)", item_schema, "}}}");
}

}  // namespace

DecideService::DecideService(DecideOptions options, const ModelHost* models,
                             telemetry::Metrics* metrics)
    : options_(std::move(options)),
      watches_(options_.watches),
      sessions_(options_.sessions, models),
      stream_metrics_(*metrics),
      stream_pool_(options_.stream_threads, options_.stream_queue, net::ComeFirst) {}

StatusOr<std::unique_ptr<DecideService>> DecideService::Open(DecideOptions options,
                                                             const ModelHost* models,
                                                             storage::Database* database,
                                                             telemetry::Metrics* metrics) {
  std::unique_ptr<DecideService> service(new DecideService(std::move(options), models, metrics));
  service->database_ = database;
  SAFERL_ASSIGN_OR_RETURN(service->store_,
                          DecisionStore::Open(service->options_.store, database, metrics));
  SAFERL_ASSIGN_OR_RETURN(service->latches_, LatchStore::Open(database, metrics));
  SAFERL_ASSIGN_OR_RETURN(service->idempotency_, Idempotency::Open(database));
  DecisionStore* store = service->store_.get();
  Watches* watches = &service->watches_;
  service->sessions_.before_tick = [watches](const std::string& robot, control::TickInput* input) {
    watches->Apply(robot, input);
  };
  service->sessions_.on_decision = [store, watches](const Decided& decided) {
    watches->Tell(decided);
    store->Keep(decided);
  };
  LatchStore* latches = service->latches_.get();
  service->sessions_.Restore(latches->loaded());
  service->sessions_.on_latch = [latches](const std::string& robot,
                                          std::optional<safety::Reason> reason) {
    latches->Set(robot, reason);
  };
  service->sessions_.on_frame =
      [store](const SessionInfo& session, uint64_t next, const control::TickModel& model,
              const control::TickData& data) { store->KeepFrame(session, next, model, data); };
  return service;
}

Status DecideService::AddApiRoutes(net::Router* router) {
  AddDecisionRoutes(store_.get(), &sessions_, router);
  AddSessionRoutes(&sessions_, idempotency_.get(), router);
  return AddRobotRoutes(database_, &sessions_, idempotency_.get(), router);
}

bool DecideService::TooLate(const Request& request) const {
  return Nanos() - request.received_ns > FromSeconds(options_.most_wait_s);
}

Response DecideService::Decide(const Request& request) {
  if (TooLate(request))
    return net::Problem(request, 503, "",
                        "the request waited too long to be of use; send the next");
  const StatusOr<DecideRequest> decoded = DecodeDecideRequest(request.body);
  if (!decoded.ok()) return net::Problem(request, decoded.status());
  const auto decided = sessions_.Decide(*decoded);
  if (!decided.ok()) return net::Problem(request, decided.status());
  const Decided& d = **decided;
  return Response::Json(EncodeDecisionJson(d.session->robot(), d.head, d.decision));
}

Response DecideService::Batch(const Request& request) {
  if (TooLate(request))
    return net::Problem(request, 503, "",
                        "the request waited too long to be of use; send the next");
  const auto decoded = DecodeDecideBatch(request.body, options_.max_batch);
  if (!decoded.ok()) return net::Problem(request, decoded.status());
  JsonWriter w;
  w.BeginObject().Key("decisions").BeginArray();
  for (const DecideRequest& one : *decoded) {
    const auto decided = sessions_.Decide(one);
    if (decided.ok()) {
      const Decided& d = **decided;
      w.Raw(EncodeDecisionJson(d.session->robot(), d.head, d.decision));
      continue;
    }
    w.BeginObject().Field("robot", one.robot).Key("error").BeginObject();
    w.Field("status", net::HttpStatus(decided.status().code()));
    w.Field("detail", Cat(decided.status().message())).EndObject().EndObject();
  }
  return Response::Json(w.EndArray().EndObject().Take());
}

void DecideService::AddRoutes(net::Router* router) {
  net::Route one;
  one.method = net::Method::kPost;
  one.pattern = "/inference";
  one.operation_id = "decide";
  one.summary = "One tick of one robot: observation and the person's command in, Decision out";
  one.tag = "decisions";
  one.run = net::Run::kControl;
  one.request_schema = DecideRequestSchema();
  one.response_schema = DecisionSchema();
  one.errors = {404, 409, 429};
  one.max_body_bytes = kMaxRequest;
  one.handler = [this](const Request& request) { return Decide(request); };
  router->Add(std::move(one));
  net::Route batch;
  batch.method = net::Method::kPost;
  batch.pattern = "/inference/batch";
  batch.operation_id = "decideBatch";
  batch.summary = "One tick each of several robots; each has its Decision or its error";
  batch.tag = "decisions";
  batch.run = net::Run::kControl;
  batch.request_schema = Batched(DecideRequestSchema(), "requests", options_.max_batch);
  batch.response_schema = Batched(R"({"type":"object"})", "decisions", options_.max_batch);
  batch.max_body_bytes = kMaxRequest * static_cast<size_t>(options_.max_batch);
  batch.handler = [this](const Request& request) { return Batch(request); };
  router->Add(std::move(batch));
  AddStreamRoute(parts(), router);
  watches_.AddRoute(router);
}

}  // namespace saferl::services
