// A whole rollout with robots in the loop: what goes on, what holds, what goes back, and what is
// left after a crash at every write.
#include "saferl/services/rollouts/controller.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "saferl/registry/testing/packages.h"
#include "saferl/services/rollouts/driver.h"
#include "saferl/services/testing/backends.h"
#include "saferl/services/testing/rollout_world.h"

namespace saferl::services {
namespace {

using registry::Phase;
using registry::Rollout;
using registry::RolloutEvent;
using registry::RolloutPlan;
using testing::FaultyDatabase;
using testing::Robot;
using testing::WorldEvidence;
using Fault = FaultyDatabase::Fault;

constexpr double kTick_s = 1;
constexpr int64_t kStart = 1'000'000 * kNanosPerSecond;

RolloutPlan ShortPlan() {
  RolloutPlan plan;
  plan.steps = {0.34, 0.67, 1};
  plan.shadow_first = false;
  plan.approvals = 0;
  plan.min_dwell_s = 2;
  plan.min_exposure_h = 1.0 / 3600;
  plan.bake_s = 3;
  plan.max_hold_s = 20;
  plan.lease_s = 3;
  return plan;
}

class World {
 public:
  explicit World(const char* kind) : stores_(kind) {
    EXPECT_TRUE(stores_.status().ok()) << stores_.status();
    below_ = stores_.OpenDatabase().value();
    faulty_ = std::make_unique<FaultyDatabase>(below_.get());
    objects_ = stores_.OpenObjects().value();
    const registry::Store::Options clock{.now_ns = [this] { return now_ + wall_jump_; }};
    store_ = registry::Store::Open(faulty_.get(), objects_.get(), clock).value();
    truth_ = registry::Store::Open(below_.get(), objects_.get(), clock).value();
    for (uint64_t i = 1; i <= 2; ++i) {
      const std::string package = registry::testing::SmallPackage(i);
      version_ = store_->Push({.model = "arm", .package = package, .who = "ann"}).value().version;
    }
    EXPECT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  }
  void Start(const RolloutPlan& plan) {
    plan_ = plan;
    id_ = registry::RolloutStore(truth_.get()).Start(version_, plan, "bob").value().id;
    // Two robots of the first cohort, one more in the second, one that is last.
    for (const double from : {0.0, 0.0, 0.34, 0.67}) AddRobot(from);
    NewController();
  }
  /// One whose turn comes at a share just above `from`.
  void AddRobot(double from) {
    const double to = from == 0 ? 0.34 : from + 0.33;
    std::string name;
    do {
      name = Cat("robot-", ++names_);
    } while (!registry::OnCanary(id_, name, "e0", to) || registry::OnCanary(id_, name, "e0", from));
    const auto i = static_cast<int64_t>(robots_.size());
    robots_.push_back({.name = name, .lease = RolloutLease(1)});
    robots_.back().offset_ns = i * 777 * kNanosPerSecond;
    robots_.back().rate = 1 + 0.003 * static_cast<double>(i - 1);
    robots_.back().lease.BeginEpisode("e0");
  }
  void NewController() {
    ControllerOptions options;
    options.holder = Cat("controller-", ++controllers_);
    options.control_s = 2.5;
    options.judge.max_data_age_s = 2.5;
    options.judge.acceptable_rate_per_h = 5000;  // steps of seconds; a bad robot has 10,800
    controller_ = std::make_unique<Controller>(store_.get(), &evidence_, options);
  }
  /// One second of everybody. A controller that throws is gone and a new one comes.
  void Tick() {
    now_ += FromSeconds(kTick_s);
    ++ticks_;
    for (Robot& robot : robots_) Ask(robot);
    for (Robot& robot : robots_) robot.runs = robot.lease.Version(robot.Clock(now_));
    evidence_.Tick(robots_, 2, now_, kTick_s);
    Check();
    if (controller_ == nullptr) return;
    try {
      (void)controller_->Step(now_ + monotonic_jump_);
      if (watch_ != nullptr) {
        EXPECT_TRUE(watch_->Turn().ok());
      }
    } catch (const std::runtime_error&) {
      NewController();
    }
    Check();
  }
  void Ask(Robot& robot) {
    if (!robot.reachable) return;
    if (ticks_ % 4 == 0) robot.lease.BeginEpisode("e0");
    const LeaseQuestion question = robot.lease.Ask(robot.Clock(now_));
    try {
      const auto answer = GrantLease(store_.get(), "arm", robot.name, question.episode);
      if (answer.ok()) robot.lease.Hear(question, *answer);
    } catch (const std::runtime_error&) {  // the service died: no answer
    }
    robot.lease.StartMoving();
  }
  /// What must hold at any moment.
  void Check() {
    const registry::RolloutStore rollouts(truth_.get());
    const Rollout r = rollouts.Find(id_).value();
    const auto leases = rollouts.Leases(id_).value();
    for (const Robot& robot : robots_) {
      if (robot.lease.stable() == 2 || robot.runs != 2) continue;
      bool covered = false;
      for (const registry::Lease& lease : leases)
        covered = covered || (lease.node == robot.name && lease.number == 2 &&
                              lease.until_ns > now_ + wall_jump_);
      EXPECT_TRUE(covered || wall_jump_ != 0) << robot.name << " runs 2 without a lease";
      if (mutant_) {
        caught_ = caught_ || r.state.phase == Phase::kRolledBack;
      } else {
        EXPECT_NE(r.state.phase, Phase::kRolledBack) << robot.name << " still runs 2";
      }
    }
  }
  void CheckJournal() {
    const auto journal = registry::RolloutStore(truth_.get()).Journal(id_).value();
    registry::RolloutState state;
    for (const registry::JournalEntry& e : journal) {
      EXPECT_EQ(e.before, state);
      bool allowed = false;
      for (int k = 0; k < static_cast<int>(RolloutEvent::kCount); ++k) {
        const auto event = static_cast<RolloutEvent>(k);
        allowed = allowed || (Name(event) == e.event && Next(plan_, e.before, event) == e.after);
      }
      EXPECT_TRUE(allowed) << e.event;
      EXPECT_LE(e.after.step - e.before.step, 1);
      state = e.after;
    }
    EXPECT_EQ(state, Now().state);
  }
  /// Steps of the canary that the journal saw.
  std::set<int> StepsSeen() {
    std::set<int> steps;
    const auto journal = registry::RolloutStore(truth_.get()).Journal(id_).value();
    for (const registry::JournalEntry& e : journal)
      if (e.after.phase == Phase::kCanary || e.after.phase == Phase::kBake)
        steps.insert(e.after.step);
    return steps;
  }
  /// The journal, for a failure's message.
  std::string Story() {
    std::string text;
    const auto journal = registry::RolloutStore(truth_.get()).Journal(id_).value();
    for (const registry::JournalEntry& e : journal)
      text += Cat((e.at_ns - kStart) / kNanosPerSecond, " s ", e.event, " (", e.reason,
                  "): ", Name(e.after.phase), " ", e.after.step, "\n");
    return text;
  }
  Phase Until(int ticks) {
    while (Now().active && ticks-- > 0) Tick();
    return Now().state.phase;
  }
  Rollout Now() { return registry::RolloutStore(truth_.get()).Find(id_).value(); }
  int Running(int64_t version) {
    int n = 0;
    for (const Robot& robot : robots_) n += robot.runs == version ? 1 : 0;
    return n;
  }
  int64_t Champion() { return truth_->Find("arm", "champion")->number; }
  bool Quarantined() { return truth_->Find("arm", "2")->quarantined; }

  int64_t now_ = kStart, wall_jump_ = 0, monotonic_jump_ = 0;
  bool mutant_ = false, caught_ = false;
  int ticks_ = 0, controllers_ = 0, names_ = 0;
  RolloutPlan plan_;
  const Backends stores_;
  std::unique_ptr<storage::Database> below_;
  std::unique_ptr<FaultyDatabase> faulty_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<registry::Store> store_, truth_;
  registry::Version version_;
  std::vector<Robot> robots_;
  WorldEvidence evidence_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<RolloutWatch> watch_;  ///< where a test looks at metrics
  telemetry::Metrics metrics_;
  std::string id_;
};

class ControllerTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Stores, ControllerTest, ::testing::ValuesIn(kBackends), NameOfBackends);
class RolloutDriverTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Stores, RolloutDriverTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(ControllerTest, AGoodVersionGoesThroughEveryStepAndIsPromoted) {
  World world(GetParam());
  world.Start(ShortPlan());
  world.Tick();
  EXPECT_EQ(world.Running(2), 2);
  EXPECT_EQ(world.Running(1), 2);
  EXPECT_EQ(world.Until(60), Phase::kPromoted);
  EXPECT_EQ(world.StepsSeen(), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(world.Champion(), 2);
  for (int i = 0; i < 5; ++i) world.Tick();
  EXPECT_EQ(world.Running(2), 4);
  world.CheckJournal();
}

TEST_P(ControllerTest, AWorseVersionIsRolledBackByItsGateAndQuarantined) {
  World world(GetParam());
  world.evidence_.bad_per_tick = 3;
  world.Start(ShortPlan());
  EXPECT_EQ(world.Until(60), Phase::kRolledBack);
  EXPECT_TRUE(world.Quarantined());
  EXPECT_EQ(world.Champion(), 1);
  EXPECT_EQ(world.Running(2), 0);
  world.CheckJournal();
}

TEST_P(ControllerTest, ItsPhaseShareEvidenceAndRollbacksAreMetrics) {
  World world(GetParam());
  world.evidence_.bad_per_tick = 3;
  world.watch_ = std::make_unique<RolloutWatch>(world.truth_.get(), &world.evidence_,
                                                RolloutRules{}, &world.metrics_);
  world.Start(ShortPlan());
  world.Tick();
  const std::string running = world.metrics_.Text();
  for (const char* line : {"saferl_rollout_state{model=\"arm\",state=\"canary\"} 1\n",
                           "saferl_rollout_state{model=\"arm\",state=\"promoted\"} 0\n",
                           "saferl_rollout_weight_ratio{model=\"arm\"} 0.34\n",
                           "saferl_rollbacks_total{model=\"arm\",reason=\"reject\"} 0\n"})
    EXPECT_NE(running.find(line), std::string::npos) << line << running;
  EXPECT_EQ(world.Until(60), Phase::kRolledBack);
  const std::string ended = world.metrics_.Text();
  for (const char* line : {"saferl_rollout_state{model=\"arm\",state=\"canary\"} 0\n",
                           "saferl_rollout_state{model=\"arm\",state=\"rolled_back\"} 1\n",
                           "saferl_rollout_weight_ratio{model=\"arm\"} 0\n",
                           "saferl_rollbacks_total{model=\"arm\",reason=\"reject\"} 1\n",
                           "saferl_rollout_rollback_duration_seconds_count{model=\"arm\"} 1\n"})
    EXPECT_NE(ended.find(line), std::string::npos) << line << ended;
}

TEST_P(ControllerTest, OneHardViolationEndsItAtOnceEvenInAHold) {
  World world(GetParam());
  world.Start(ShortPlan());
  world.Tick();
  ASSERT_TRUE(registry::RolloutStore(world.truth_.get())
                  .Apply(world.id_, RolloutEvent::kPause, "eve", "")
                  .ok());
  world.evidence_.bad_per_tick = 1;
  world.evidence_.kind = BadKind::kHard;
  world.Tick();
  EXPECT_EQ(world.Now().state.phase, Phase::kRollingBack);
  EXPECT_TRUE(world.Quarantined());
  world.Tick();
  EXPECT_EQ(world.Running(2), 0);  // robots that are reached: the next tick
}

TEST_P(ControllerTest, WithoutEvidenceItHoldsAndThenGoesBack) {
  World world(GetParam());
  world.Start(ShortPlan());
  world.evidence_.available = false;
  for (int i = 0; i < 4; ++i) world.Tick();
  EXPECT_EQ(world.Now().state.phase, Phase::kHold);
  EXPECT_EQ(world.Now().state.step, 0);
  world.evidence_.available = true;
  world.Tick();
  EXPECT_EQ(world.Now().state.phase, Phase::kCanary);
  world.evidence_.available = false;
  EXPECT_EQ(world.Until(60), Phase::kRolledBack);
  EXPECT_EQ(world.Champion(), 1);
  EXPECT_FALSE(world.Quarantined());  // nobody found it bad
  world.CheckJournal();
}

TEST_P(ControllerTest, ARobotThatIsCutOffIsStableBeforeTheRollbackCountsAsDone) {
  World world(GetParam());
  world.Start(ShortPlan());
  world.Tick();
  ASSERT_GT(world.Running(2), 0);
  for (Robot& robot : world.robots_) robot.reachable = false;
  ASSERT_TRUE(registry::RolloutStore(world.truth_.get())
                  .Apply(world.id_, RolloutEvent::kAbort, "eve", "")
                  .ok());
  world.wall_jump_ = 3600 * kNanosPerSecond;  // the registry's clock is set; leases look over
  world.Tick();
  EXPECT_GT(world.Running(2), 0);
  EXPECT_EQ(world.Now().state.phase, Phase::kRollingBack);
  EXPECT_EQ(world.Until(10), Phase::kRolledBack);  // World::Check: no robot runs 2 by then
  EXPECT_EQ(world.Running(2), 0);
}

/// A controller that trusted one clock alone: what the other one keeps from happening happens.
bool DoneTooEarly(const char* backend, bool wall, bool monotonic) {
  World world(backend);
  world.mutant_ = true;
  world.Start(ShortPlan());
  world.Tick();
  EXPECT_GT(world.Running(2), 0);
  for (Robot& robot : world.robots_) robot.reachable = false;
  EXPECT_TRUE(registry::RolloutStore(world.truth_.get())
                  .Apply(world.id_, RolloutEvent::kAbort, "eve", "")
                  .ok());
  (void)world.controller_->Step(world.now_);  // sees the rollback
  if (wall) world.wall_jump_ = 3600 * kNanosPerSecond;
  if (monotonic) world.monotonic_jump_ = 3600 * kNanosPerSecond;
  world.Tick();
  return world.caught_;
}

TEST_P(ControllerTest, AJumpOfEitherClockAloneEndsNoRollbackEarlyAndOfBothWould) {
  EXPECT_FALSE(DoneTooEarly(GetParam(), true, false));
  EXPECT_FALSE(DoneTooEarly(GetParam(), false, true));
  EXPECT_TRUE(DoneTooEarly(GetParam(), true, true));  // the mutant without the guard
}

TEST_P(ControllerTest, TheShadowMovesNobodyAndGoesOnByItsOwnEvidence) {
  World world(GetParam());
  RolloutPlan plan = ShortPlan();
  plan.shadow_first = true;
  world.evidence_.shadows = true;
  world.Start(plan);
  for (int i = 0; i < 20 && world.Now().state.phase == Phase::kShadow; ++i) {
    world.Tick();
    EXPECT_EQ(world.Running(2), 0);
  }
  world.evidence_.shadows = false;
  EXPECT_EQ(world.Now().state.phase, Phase::kCanary) << world.Story();
  EXPECT_EQ(world.Until(60), Phase::kPromoted) << world.Story();
}

TEST_P(ControllerTest, AVersionThatIsWorseInTheShadowNeverRuns) {
  World world(GetParam());
  RolloutPlan plan = ShortPlan();
  plan.shadow_first = true;
  world.evidence_.shadows = true;
  world.evidence_.bad_per_tick = 3;
  world.Start(plan);
  EXPECT_EQ(world.Until(30), Phase::kAborted) << world.Story();
  EXPECT_TRUE(world.Quarantined());
  EXPECT_EQ(world.Running(2), 0);
  EXPECT_EQ(world.Champion(), 1);
}

TEST_P(ControllerTest, AJudgementOfAnEarlierStepNeverCountsForTheNext) {
  World world(GetParam());
  world.Start(ShortPlan());
  const Rollout seen = world.Now();
  registry::RolloutStore rollouts(world.truth_.get());
  ASSERT_TRUE(rollouts.ApplyTo(seen, RolloutEvent::kAccept, "a", "").ok());
  EXPECT_TRUE(absl::IsAborted(rollouts.ApplyTo(seen, RolloutEvent::kAccept, "b", "").status()));
  EXPECT_EQ(world.Now().state.step, 1);
}

TEST_P(ControllerTest, OnlyRobotsOfTheCohortGetALease) {
  World world(GetParam());
  world.Start(ShortPlan());
  for (int i = 0; i < 300; ++i) {
    const std::string robot = Cat("r", i);
    const auto answer = GrantLease(world.store_.get(), "arm", robot, "e");
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->version == 2, registry::OnCanary(world.id_, robot, "e", 0.34)) << robot;
  }
}

TEST_P(RolloutDriverTest, StepsOnItsThreadAndHoldsWhereNobodyReports) {
  World world(GetParam());
  world.Start(ShortPlan());
  world.evidence_.available = false;
  world.now_ += 3 * kNanosPerSecond;
  const Deadline end = Deadline::After(20 * kNanosPerSecond);
  {
    ControllerOptions options;
    options.holder = ControllerName();
    options.judge.max_data_age_s = 2.5;
    const RolloutDriver driver(world.store_.get(), &world.evidence_, options, 0.001);
    while (driver.steps() < 3 && !end.Passed()) std::this_thread::yield();
    EXPECT_GE(driver.steps(), 3U);
  }
  EXPECT_EQ(world.Now().state.phase, Phase::kHold);
}

/// A fault at every write of a whole rollout, in each of four ways. What a disk keeps is not the
/// question here, so all lies on local
/// stores and the files in memory where there is such a folder.
void CrashEverywhere(int bad_per_tick, Phase end) {
  if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  int writes = 0;
  {
    World world("local");
    world.evidence_.bad_per_tick = bad_per_tick;
    world.Start(ShortPlan());
    world.faulty_->Arm(Fault::kNone, 0);
    ASSERT_EQ(world.Until(60), end);
    writes = world.faulty_->writes();
  }
  ASSERT_GT(writes, 20);
  for (const Fault fault :
       {Fault::kThrowBefore, Fault::kThrowAfter, Fault::kStatusBefore, Fault::kStatusAfter}) {
    for (int at = 1; at <= writes; ++at) {
      SCOPED_TRACE(Cat("fault ", static_cast<int>(fault), " at write ", at));
      World world("local");
      world.evidence_.bad_per_tick = bad_per_tick;
      world.Start(ShortPlan());
      world.faulty_->Arm(fault, at);
      ASSERT_EQ(world.Until(90), end) << world.Story();
      world.Tick();
      world.CheckJournal();
      EXPECT_EQ(world.Champion(), end == Phase::kPromoted ? 2 : 1);
      EXPECT_EQ(world.Quarantined(), end != Phase::kPromoted);
      if (end == Phase::kPromoted) {
        EXPECT_EQ(world.StepsSeen(), (std::set<int>{0, 1, 2}));
      } else {
        EXPECT_EQ(world.Running(2), 0);
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(ControllerCrash, AnywhereInAGoodRolloutEndsPromotedWithNoStepSkipped) {
  CrashEverywhere(0, Phase::kPromoted);
}
TEST(ControllerCrash, AnywhereInABadRolloutEndsRolledBackAndQuarantined) {
  CrashEverywhere(3, Phase::kRolledBack);
}

}  // namespace
}  // namespace saferl::services
