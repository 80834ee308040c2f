// Decisions over HTTP and the sessions behind them. Time is the robot's: every test brings its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/replay.h"
#include "saferl/control/workload.h"
#include "saferl/policy/package.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/services/decide/sessions.h"

namespace saferl::services {
namespace {

using safety::Mode;
using safety::Reason;
using testing::HasSubstr;

std::shared_ptr<const safety::SafetyModel> Load(const std::string& type) {
  auto model = safety::LoadSafetyModel(type);
  EXPECT_TRUE(model.ok()) << model.status();
  return *model;
}

/// A robot whose commands are carried out exactly, and its requests.
class Robot {
 public:
  explicit Robot(const std::string& type, std::string id = "r1")
      : model_(Load(type)), workload_(model_->robot), id_(std::move(id)) {}
  /// The next tick's request, sent as the bytes a client would send.
  DecideRequest Next() {
    input_ = workload_.Next();
    return Resend();
  }
  DecideRequest Resend() const {
    auto request = DecodeDecideRequest(Json());
    EXPECT_TRUE(request.ok()) << request.status();
    return *std::move(request);
  }
  std::string Json() const { return EncodeDecideRequest(*model_->robot, id_, input_); }
  void Apply(const control::Decision& decision) { workload_.Apply(decision.command); }
  const control::TickInput& input() const { return input_; }
  const safety::SafetyModel& model() const { return *model_; }
  std::shared_ptr<const safety::SafetyModel> shared() const { return model_; }

 private:
  std::shared_ptr<const safety::SafetyModel> model_;
  control::Workload workload_;
  control::TickInput input_;
  std::string id_;
};

class DecideTest : public testing::Test {
 protected:
  control::Decision Decide(const DecideRequest& request) {
    auto decided = sessions_.Decide(request);
    EXPECT_TRUE(decided.ok()) << decided.status();
    return decided.ok() ? (*decided)->decision : control::Decision();
  }
  telemetry::Metrics metrics_;
  ModelHost models_{&metrics_, 1 << 20};
  Sessions sessions_{{.max_sessions = 3, .ttl_s = 10, .robots_dir = ""}, &models_};
};

TEST_F(DecideTest, TheAnswersAreTheTicksBitForBit) {
  for (const char* type : {"wheelchair", "arm7", "exoskeleton"}) {
    Robot robot(type, type);
    auto model = control::MakeTickModel(robot.shared(), nullptr);
    ASSERT_TRUE(model.ok());
    const auto data = control::Prepare(*model);
    control::Decision direct;
    int moving = 0;
    for (int i = 0; i < 50; ++i) {
      const control::Decision served = Decide(robot.Next());
      control::Tick(*model, robot.input(), data.get(), &direct);
      std::string what;
      ASSERT_TRUE(control::SameCommand(direct.command, served.command, &what)) << type << what;
      for (const double u : served.command.u) moving += u != 0;
      robot.Apply(served);
    }
    EXPECT_GT(moving, 20) << type << ": a test of standing still shows nothing";
  }
}

TEST_F(DecideTest, DecisionsOfAModelAreCountedByVersionAndTransport) {
  Robot robot("wheelchair");
  const auto policy = control::MakeBenchPolicy(robot.model().robot, 64, 1);
  ASSERT_TRUE(policy.ok()) << policy.status();
  ASSERT_TRUE(models_.Load("chair", "7", *policy::EncodePackage((*policy)->spec())).ok());
  SafetyCounts counts(&metrics_);
  sessions_.safety_counts = &counts;
  for (const auto transport : {telemetry::Transport::kHttp, telemetry::Transport::kGrpc,
                               telemetry::Transport::kWebSocket, telemetry::Transport::kGrpc}) {
    DecideRequest request = robot.Next();
    request.model = "chair";
    const auto decided = sessions_.Decide(request, transport);
    ASSERT_TRUE(decided.ok()) << decided.status();
    robot.Apply((*decided)->decision);
  }
  const std::string text = metrics_.Text();
  const auto requests = [](const char* transport, int n) {
    return HasSubstr(
        Cat("saferl_inference_requests_total{arm=\"stable\",code=\"200\",model=\"chair\","
            "transport=\"",
            transport, "\",version=\"7\"} ", n, "\n"));
  };
  EXPECT_THAT(text, requests("http", 1));
  EXPECT_THAT(text, requests("websocket", 1));
  EXPECT_THAT(text, requests("grpc", 2));
  EXPECT_THAT(text, HasSubstr("saferl_inference_duration_seconds_count{model=\"chair\",stage="
                              "\"total\",version=\"7\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("saferl_robot_exposure_seconds_total{arm=\"stable\"} 0.06\n"));
}

TEST_F(DecideTest, AStaleOrRepeatedStampNeverOpensTheRobot) {
  Robot robot("wheelchair");
  for (int i = 0; i < 20; ++i) robot.Apply(Decide(robot.Next()));
  const control::Decision again = Decide(robot.Resend());
  EXPECT_EQ(again.command.mode, Mode::kControlledStop);
  EXPECT_EQ(again.command.reason, Reason::kClockBackward);
  DecideRequest old = robot.Next();
  old.input.now_ns += 40'000'000;  // the observation is 40 ms old: more than the chair allows
  const control::Decision stale = Decide(old);
  EXPECT_GE(stale.command.mode, Mode::kControlledStop);
}

TEST_F(DecideTest, SilenceEndsASessionAndKeepsItsLatchedStop) {
  SessionOptions options;
  options.ttl_s = 3600;
  Sessions patient(options, &models_);
  options.ttl_s = 1e-9;
  Sessions hasty(options, &models_);
  for (Sessions* sessions : {&patient, &hasty}) {
    Robot robot("wheelchair");
    auto first = sessions->Decide(robot.Next());
    ASSERT_TRUE(first.ok()) << first.status();
    DecideRequest stop = robot.Next();
    stop.input.human.stop = true;
    const std::string before = (*first)->head.session;
    first->reset();  // what holds a session keeps it
    ASSERT_TRUE(sessions->Decide(stop).ok());
    const auto after = sessions->Decide(robot.Next());
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ((*after)->head.session == before, sessions == &patient);
    EXPECT_EQ((*after)->decision.command.mode, Mode::kProtectiveStop);
    EXPECT_EQ((*after)->decision.command.reason, Reason::kStopRequested);
  }
  EXPECT_EQ(patient.List().size(), 1u);
  EXPECT_EQ(hasty.List().size(), 0u);
}

TEST_F(DecideTest, ALatchedStopOutlivesItsSession) {
  Robot robot("wheelchair");
  Decide(robot.Next());
  DecideRequest stop = robot.Next();
  stop.input.human.stop = true;
  EXPECT_EQ(Decide(stop).command.mode, Mode::kProtectiveStop);
  const auto still_stopped = [&](const char* after) {
    const control::Decision decision = Decide(robot.Next());
    EXPECT_EQ(decision.command.mode, Mode::kProtectiveStop) << after;
    EXPECT_EQ(decision.command.reason, Reason::kStopRequested) << after;
  };
  ASSERT_TRUE(sessions_.End("r1").ok());
  still_stopped("ended");
  sessions_.EndSilent(INT64_MAX);
  EXPECT_EQ(sessions_.size(), 0u);
  still_stopped("silent");
  for (const char* id : {"a", "b", "c"}) Decide(Robot("wheelchair", id).Next());
  EXPECT_EQ(sessions_.Find("r1").status().code(), absl::StatusCode::kNotFound);
  still_stopped("evicted");
  DecideRequest press = robot.Next();
  press.input.human.acknowledge = true;  // the person's button, at rest: a fresh press
  EXPECT_EQ(Decide(press).command.mode, Mode::kNominal);
  ASSERT_TRUE(sessions_.End("r1").ok());
  EXPECT_EQ(Decide(robot.Next()).command.mode, Mode::kNominal);
}

TEST_F(DecideTest, ASessionThatStartsWhileTheRobotMovesDoesNotGoOnAsIfNothingWas) {
  Robot robot("wheelchair");
  control::Decision last;
  for (int i = 0; i < 40; ++i) robot.Apply(last = Decide(robot.Next()));
  ASSERT_GT(std::abs(last.command.u[0]) + std::abs(last.command.u[1]), 0.1);
  ASSERT_TRUE(sessions_.End("r1").ok());
  const control::Decision first = Decide(robot.Next());
  EXPECT_GE(first.command.mode, Mode::kControlledStop);
}

TEST_F(DecideTest, TheNumberOfSessionsIsBoundedAndTheLongestUnusedGoes) {
  Robot a("wheelchair", "a"), b("wheelchair", "b"), c("arm7", "c"), d("arm7", "d");
  for (Robot* robot : {&a, &b, &c, &a, &d}) Decide(robot->Next());
  EXPECT_EQ(sessions_.size(), 3u);
  EXPECT_FALSE(sessions_.Find("b").ok());
  EXPECT_TRUE(sessions_.Find("a").ok());
}

TEST_F(DecideTest, LimitsOnlyTighten) {
  Robot robot("wheelchair");
  DecideRequest request = robot.Next();
  request.limits = {{"arbitration.authority_cap", 0.9}};
  EXPECT_THAT(sessions_.Decide(request).status().message(), HasSubstr("above 0.8"));
  request.limits = {{"limits.degraded_speed", -1}};
  EXPECT_FALSE(sessions_.Decide(request).ok());
  request.limits = {{"latch.dwell_ns", 1}};
  EXPECT_THAT(sessions_.Decide(request).status().message(), HasSubstr("not a setting"));
  request.limits = {{"limits.max_human_age_ns", 1e6}};
  Decide(request);
  request = robot.Next();
  request.input.human.stamp_ns -= 2'000'000;  // well inside the default of 300 ms
  const control::Decision decision = Decide(request);
  EXPECT_EQ(decision.command.mode, Mode::kHold);
  EXPECT_EQ(decision.command.reason, Reason::kHumanStale);
  request.limits = {{"limits.max_human_age_ns", 2e6}};
  EXPECT_EQ(sessions_.Decide(request).status().code(), absl::StatusCode::kAborted);
}

TEST_F(DecideTest, BadRequestsNameTheFieldAndTheFixAndMakeNoSession) {
  Robot robot("wheelchair");
  robot.Next();
  const std::string good = robot.Json();
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  struct Case {
    std::string body;
    const char* says;
  };
  const Case cases[] = {
      {"", "expected an object"},
      {"[]", "expected an object"},
      {good + "x", "body:1"},
      {good.substr(0, good.size() / 2), "body:1"},
      {R"({"robot":"a"})", "now_ns: is missing"},
      {with(R"("now_ns":)", R"("now_nz":)"), "did you mean 'now_ns'"},
      {with(R"("human":{)", R"("robot":"x","human":{)"), "robot: given twice"},
      {with(R"("qd":[)", R"("qd":[0,)"), "observation.state.qd: 3 numbers; send 2"},
      {with(R"("q":[)", R"("q":[1,2,3,4,5,6,)"), "observation.state.q: more than 8"},
      {with(R"("q":[)", R"("q":[1e999,)"), "observation.state.q[0]"},
      {with(R"("q":[)", R"("q":[NaN,)"), "observation.state.q[0]"},
      {with(R"("q":[)", R"("q":["0",)"), "observation.state.q[0]"},
      {with(R"("ranges_m":[)", R"("ranges_m":[1e300,)"), "observation.lidar.ranges_m[0]"},
      {with(R"("region":"pedestrian")", R"("region":"tail")"),
       "observation.people.parts[0].region"},
      {with(R"("person":0)", R"("person":256)"), "observation.people.parts[0].person: 256"},
      {with(R"("type":"wheelchair")", R"("type":"../../etc/passwd")"), "type: not a name"},
      {with(R"("type":"wheelchair")", R"("type":"tank")"), "type: 'tank' is no robot; use arm7"},
      {with(R"("type":"wheelchair",)", ""), "type: is missing"},
      {with(R"("robot":"r1")", R"("robot":"")"), "robot: not a name"},
      {with(R"("enabled":true)", R"("enabled":1)"), "human.enabled"},
      {with(R"("type":"wheelchair")", R"("type":"wheelchair","model":{"name":"none"})"),
       "model: 'none'"},
      {with(R"("goals":[[)", R"("goals":[[1,)"), "goals[0]: more than 3"},
      {with(R"("sequence":1)", R"("sequence":-1)"), "observation.sequence: -1 is below 0"},
      {with(R"("now_ns":)", R"("now_ns":1.5e9,"x":)"), "now_ns"},
      {with(R"("now_ns":)", R"("limits":{"a":1,"a":2},"now_ns":)"), "limits.a: given twice"},
      {with(R"("goals":)", R"("interaction_nm":[],"goals":)"), "interaction_nm: unknown"},
  };
  for (const Case& c : cases) {
    const auto decoded = DecodeDecideRequest(c.body);
    const Status status = decoded.ok() ? sessions_.Decide(*decoded).status() : decoded.status();
    EXPECT_FALSE(status.ok()) << c.says;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says));
  }
  EXPECT_EQ(sessions_.size(), 0u);
}

TEST_F(DecideTest, EncodingAndDecodingKeepEveryBit) {
  for (const char* type : {"wheelchair", "arm7", "exoskeleton"}) {
    Robot robot(type);
    const DecideRequest request = robot.Next();
    const control::TickInput &a = robot.input(), &b = request.input;
    EXPECT_EQ(a.now_ns, b.now_ns);
    EXPECT_EQ(a.observation.n_parts, b.observation.n_parts);
    EXPECT_EQ(a.observation.n_lidar, b.observation.n_lidar);
    EXPECT_EQ(std::memcmp(a.observation.lidar_m.data(), b.observation.lidar_m.data(),
                          sizeof a.observation.lidar_m),
              0);
    EXPECT_EQ(a.observation.robot.q, b.observation.robot.q);
    EXPECT_EQ(a.human.u, b.human.u);
    for (int i = 0; i < a.observation.n_parts; ++i) {
      const robot::HumanPart &p = a.observation.parts[i], &q = b.observation.parts[i];
      EXPECT_EQ(std::memcmp(&p.capsule_W, &q.capsule_W, sizeof p.capsule_W), 0);
      EXPECT_TRUE(p.region == q.region && p.track == q.track && p.person == q.person &&
                  p.stamp_ns == q.stamp_ns);
    }
  }
}

TEST_F(DecideTest, ABatchHasEveryRobotOnce) {
  Robot a("wheelchair", "a"), b("arm7", "b");
  a.Next();
  b.Next();
  const auto two = DecodeDecideBatch(Cat(R"({"requests":[)", a.Json(), ",", b.Json(), "]}"), 2);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ((*two)[1].robot, "b");
  EXPECT_THAT(DecodeDecideBatch(Cat(R"({"requests":[)", a.Json(), ",", a.Json(), "]}"), 2)
                  .status()
                  .message(),
              HasSubstr("requests[1].robot: 'a' stands in this batch twice"));
  EXPECT_THAT(DecodeDecideBatch(Cat(R"({"requests":[)", a.Json(), ",", b.Json(), "]}"), 1)
                  .status()
                  .message(),
              HasSubstr("requests: more than 1"));
  EXPECT_FALSE(DecodeDecideBatch(R"({"requests":[]})", 2).ok());
  EXPECT_THAT(DecodeDecideBatch(R"({"requests":[{"robot":1}]})", 2).status().message(),
              HasSubstr("requests[0].robot"));
}

}  // namespace
}  // namespace saferl::services
