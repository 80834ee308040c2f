// The judge: quiet on 10^5 sound ticks of each robot; every fault put into the same stream is found
// by the check that is meant to find it.
#include "saferl/services/monitor/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "saferl/base/clock.h"
#include "saferl/base/random.h"
#include "saferl/control/workload.h"

namespace saferl::services {
namespace {

using control::Decision;
using safety::Mode;
using safety::Reason;

constexpr int kSoundTicks = 100'000;

/// A robot that drives by the real Tick, and its judge.
class Stream {
 public:
  explicit Stream(const std::string& robot)
      : model_(*control::MakeBenchModel(robot, false)),
        data_(control::Prepare(model_)),
        workload_(model_.safety->robot),
        judge_(*Judge::Create(robot, {})) {}

  /// The next decision; `disturb` may change what the Tick gets.
  const Decision& Next(const std::function<void(control::TickInput*)>& disturb = {}) {
    control::TickInput input = workload_.Next();
    if (disturb) disturb(&input);
    control::Tick(model_, input, data_.get(), decision_.get());
    workload_.Apply(decision_->command);
    return *decision_;
  }
  /// Away from rest; an exoskeleton always is.
  bool Moves(const Decision& d) const {
    bool moves = robot().kind() == robot::Kind::kExoskeleton;
    for (int i = 0; i < robot().n(); ++i)
      moves = moves || std::abs(d.command.u[i]) > 0.1 * robot().limits().command_upper[i];
    return moves;
  }
  Judge& judge() { return *judge_; }
  const robot::RobotModel& robot() const { return *model_.safety->robot; }
  /// Ticks until the judge is settled and the robot moves.
  void Drive() {
    bool settled = false, moves = false;
    for (int k = 0; k < 2000 && !(settled && moves); ++k) {
      const Decision& d = Next();
      const Verdict verdict = judge_->Look(d);
      ASSERT_TRUE(verdict.findings.empty()) << verdict.findings[0].detail;
      settled = verdict.settled;
      moves = Moves(d);
    }
    ASSERT_TRUE(settled && moves);
  }

 private:
  control::TickModel model_;
  std::unique_ptr<control::TickData, void (*)(control::TickData*)> data_;
  control::Workload workload_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<Decision> decision_ = std::make_unique<Decision>();
};

bool Has(const Verdict& verdict, Check check) {
  return std::any_of(verdict.findings.begin(), verdict.findings.end(),
                     [check](const Finding& f) { return f.check == check; });
}

std::string Text(const Verdict& verdict) {
  std::string text;
  for (const Finding& f : verdict.findings)
    text += std::string(Name(f.check)) + ": " + f.detail + "; ";
  return text;
}

class JudgeTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Robots, JudgeTest, testing::Values("wheelchair", "arm7", "exoskeleton"));

TEST_P(JudgeTest, HundredThousandSoundTicksAreQuiet) {
  Stream stream(GetParam());
  const int64_t start = Nanos();
  int64_t judging_ns = 0;
  int unsettled = 0;
  for (int k = 0; k < kSoundTicks; ++k) {
    const Decision& d = stream.Next();
    const int64_t before = Nanos();
    const Verdict verdict = stream.judge().Look(d);
    judging_ns += Nanos() - before;
    unsettled += !verdict.settled;
    ASSERT_TRUE(verdict.findings.empty()) << "tick " << k << ": " << Text(verdict);
  }
  EXPECT_LT(unsettled, 50);
  RecordProperty("judge_us", std::to_string(judging_ns / kSoundTicks / 1000));
  std::printf("%s: %.1f us a decision, %.1f s in all\n", GetParam(),
              1e-3 * static_cast<double>(judging_ns) / kSoundTicks, Seconds(Nanos() - start));
}

/// Stops, staleness and breaches that the Tick answers rightly are no findings either.
TEST_P(JudgeTest, RightlyAnsweredTroubleIsQuiet) {
  Stream stream(GetParam());
  stream.Drive();
  Random random(5);
  int stops = 0;
  for (int k = 0; k < 3000; ++k) {
    const int kind = k % 60 == 0 ? 1 + random.Index(5) : 0;
    const Decision& d = stream.Next([&](control::TickInput* in) {
      in->human.acknowledge = k % 20 == 10;
      if (kind == 1) in->stop_requested = true;
      if (kind == 2) in->lease_ok = false;
      if (kind == 3) in->human.enabled = false;
      if (kind == 4) in->human.stop = true;
      if (kind == 5) in->observation.robot.q[0] = NAN;
    });
    stops += d.command.mode >= Mode::kControlledStop;
    const Verdict verdict = stream.judge().Look(d);
    ASSERT_TRUE(verdict.findings.empty()) << "tick " << k << ": " << Text(verdict);
  }
  EXPECT_GT(stops, 20);
}

struct Fault {
  const char* name;
  Check check;
  std::function<void(const robot::RobotModel&, Decision*)> inject;
};

std::vector<Fault> Faults() {
  return {
      {"the command is not a number", Check::kFinite,
       [](const auto&, Decision* d) { d->command.u[1] = NAN; }},
      {"the authority is above one", Check::kFinite,
       [](const auto&, Decision* d) { d->authority = 1.5; }},
      {"the command is beyond its limit", Check::kLimit,
       [](const auto& robot, Decision* d) {
         d->command.u[0] = robot.kind() == robot::Kind::kExoskeleton
                               ? 1.01 * robot.limits().effort_max[0]
                               : 1.01 * robot.limits().command_upper[0];
       }},
      {"the command jumps", Check::kRate,
       [](const auto& robot, Decision* d) {
         d->command.u[0] += 3 * robot.limits().command_rate[0] * robot.period_s();
       }},
      {"it was issued at another time", Check::kStamp,
       [](const auto&, Decision* d) { d->command.issued_ns += 2'000'000; }},
      {"it lives for too long", Check::kStamp,
       [](const auto&, Decision* d) { d->command.valid_for_ns *= 2; }},
      {"the observation is of the future", Check::kStamp,
       [](const auto&, Decision* d) { d->input.observation.stamp_ns = d->input.now_ns + 1000; }},
      {"the observation runs backward", Check::kStamp,
       [](const auto&, Decision* d) { d->input.observation.stamp_ns -= 400'000'000; }},
      {"the state is old", Check::kStale,
       [](const auto&, Decision* d) { d->input.observation.robot.stamp_ns -= 400'000'000; }},
      {"the command has another number", Check::kSequence,
       [](const auto&, Decision* d) { d->command.sequence += 1; }},
      {"the tick has another number", Check::kSequence,
       [](const auto&, Decision* d) { d->command.sequence = d->input.sequence += 1; }},
      {"the tick comes late", Check::kLateTick,
       [](const auto& robot, Decision* d) {
         d->input.now_ns += FromSeconds(1.5 * robot.period_s());
         d->command.issued_ns = d->input.now_ns;
       }},
      {"a stop's reason without its mode", Check::kMode,
       [](const auto&, Decision* d) { d->command.reason = Reason::kPersonTooFast; }},
      {"a mode without a reason", Check::kMode,
       [](const auto&, Decision* d) { d->command.mode = Mode::kHold; }},
      {"a mode that does not exist", Check::kMode,
       [](const auto&, Decision* d) { d->command.mode = static_cast<Mode>(9); }},
      {"an ordered stop", Check::kUnheeded,
       [](const auto&, Decision* d) { d->input.stop_requested = true; }},
      {"the person's stop", Check::kUnheeded,
       [](const auto&, Decision* d) { d->input.human.stop = true; }},
      {"a lost lease", Check::kUnheeded,
       [](const auto&, Decision* d) { d->input.lease_ok = false; }},
      {"a released enabling device", Check::kUnheeded,
       [](const auto&, Decision* d) { d->input.human.enabled = false; }},
      {"an observation that means nothing", Check::kUnheeded,
       [](const auto&, Decision* d) { d->input.observation.robot.q[1] = NAN; }},
      {"a count beyond its array", Check::kUnheeded,
       [](const auto&, Decision* d) { d->input.observation.n_parts = 1000; }},
  };
}

TEST_P(JudgeTest, EveryFaultIsFoundByItsCheckAndTheSameStreamWithoutItIsQuiet) {
  for (const Fault& fault : Faults()) {
    SCOPED_TRACE(fault.name);
    Stream stream(GetParam());
    if (fault.check == Check::kRate && stream.robot().kind() == robot::Kind::kExoskeleton) continue;
    stream.Drive();
    Decision d = stream.Next();
    fault.inject(stream.robot(), &d);
    const Verdict verdict = stream.judge().Look(d);
    EXPECT_TRUE(Has(verdict, fault.check)) << Text(verdict);
  }
}

TEST_P(JudgeTest, MissedAndRepeatedDecisionsAreFound) {
  Stream stream(GetParam());
  stream.Drive();
  stream.Next();  // nobody sees this one
  EXPECT_TRUE(Has(stream.judge().Look(stream.Next()), Check::kSequence));
  Stream again(GetParam());
  again.Drive();
  const Decision d = again.Next();
  EXPECT_FALSE(Has(again.judge().Look(d), Check::kSequence));
  EXPECT_TRUE(Has(again.judge().Look(d), Check::kSequence));
  again.judge().Missed(7);
  const Verdict verdict = again.judge().Look(again.Next());
  EXPECT_TRUE(Has(verdict, Check::kSequence));
  EXPECT_FALSE(verdict.settled) << "what may still act is not known";
}

/// Something in the way that the Tick did not see: only the recomputed margin can tell.
TEST(Judge, ACommandTowardAnObstacleIsUnproved) {
  Stream stream("wheelchair");
  stream.Drive();
  Decision d = stream.Next();
  ASSERT_GT(d.command.u[0], 0.1);
  for (int i = 0; i < d.input.observation.n_lidar; ++i) {
    const double angle = -M_PI + 2 * M_PI * i / d.input.observation.n_lidar;
    if (std::abs(angle) < 0.5) d.input.observation.lidar_m[static_cast<size_t>(i)] = 0.7F;
  }
  const Verdict verdict = stream.judge().Look(d);
  EXPECT_TRUE(Has(verdict, Check::kMargin)) << Text(verdict);
  EXPECT_LT(verdict.certificate.margin, 0);
}

TEST(Judge, APersonInTheArmsWayIsUnproved) {
  Stream stream("arm7");
  stream.Drive();
  Decision d = stream.Next();
  robot::Placement placement;
  stream.robot().Place(d.input.observation.robot.q, &placement);
  robot::HumanPart& part = d.input.observation.parts[0];
  part.capsule_W = placement.link_W[placement.n_links - 1];
  part.region = robot::Region::kSkull;
  EXPECT_TRUE(Has(stream.judge().Look(d), Check::kMargin));
}

TEST(Judge, ATorqueThatPushesBeyondTheRangeIsUnproved) {
  Stream stream("exoskeleton");
  stream.Drive();
  Decision d = stream.Next();
  d.command.u[0] += 0.5 * stream.robot().limits().effort_max[0];
  EXPECT_TRUE(Has(stream.judge().Look(d), Check::kMargin));
}

TEST(Judge, AStopThatDoesNotBrakeIsFound) {
  Stream stream("wheelchair");
  stream.Drive();
  const double before = stream.Next().command.u[0];
  Stream other("wheelchair");
  other.Drive();
  Decision d = other.Next();
  d.command.mode = Mode::kProtectiveStop;
  d.command.reason = Reason::kStopRequested;
  d.command.u[0] = before;
  d.command.u[1] += 0.01;
  EXPECT_TRUE(Has(other.judge().Look(d), Check::kMode));
}

TEST(Judge, APersonFasterThanAssumedHasToStopTheRobot) {
  Stream stream("wheelchair");
  stream.Drive();
  int found = 0;
  for (int k = 0; k < 3; ++k) {  // a Tick that does not look at people's speed
    Decision d = stream.Next();
    for (int i = 0; i < d.input.observation.n_parts; ++i) {
      robot::HumanPart& part = d.input.observation.parts[static_cast<size_t>(i)];
      part.capsule_W.a.x += 1.0;  // all jump by a metre, once
      part.capsule_W.b.x += 1.0;
    }
    found += Has(stream.judge().Look(d), Check::kPersonFast);
  }
  EXPECT_EQ(found, 2) << "the tick after the next one is too late, and so is every later one";
}

TEST(Judge, TellsHowFarATickIsFromItsPeriodUnlessOneWasMissed) {
  Stream stream("wheelchair");
  EXPECT_LT(stream.judge().Look(stream.Next()).jitter_ns, 0) << "nothing came before";
  EXPECT_EQ(stream.judge().Look(stream.Next()).jitter_ns, 0);
  Decision late = stream.Next();
  late.input.now_ns += 3'000'000;
  EXPECT_EQ(stream.judge().Look(late).jitter_ns, 3'000'000);
  EXPECT_EQ(stream.judge().Look(stream.Next()).jitter_ns, 3'000'000) << "so much early after that";
  stream.Next();
  stream.judge().Missed(1);
  EXPECT_LT(stream.judge().Look(stream.Next()).jitter_ns, 0);
}

TEST(Judge, AnUnknownRobotIsNamed) {
  EXPECT_THAT(Judge::Create("nothing_such", {}).status().ToString(),
              testing::HasSubstr("nothing_such"));
}

}  // namespace
}  // namespace saferl::services
