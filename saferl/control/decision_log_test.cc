#include "saferl/control/decision_log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/base/random.h"
#include "saferl/control/black_box.h"
#include "saferl/control/crc32.h"
#include "saferl/control/replay.h"
#include "saferl/control/tick_settings.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

std::string TempPath(const std::string& name) { return testing::TempDir() + "saferl_" + name; }

/// Drives a robot for `ticks` with some faults on the way and logs every tick.
void Record(const TickModel& model, const std::string& path, int ticks, bool close = true) {
  const std::string file = *FindNamed(model.safety->robot->name(), "robots", ".yaml");
  auto info = DescribeModel(model, file);
  ASSERT_TRUE(info.ok()) << info.status();
  auto log = DecisionLogWriter::Create(path, *info, *model.safety->robot);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto data = Prepare(model);
  Workload workload(model.safety->robot);
  Decision decision;
  for (int k = 0; k < ticks; ++k) {
    TickInput input = workload.Next();
    if (k % 400 == 350) input.human.u[0] = std::numeric_limits<double>::quiet_NaN();
    if (k % 700 == 650) input.observation.n_parts = -3;
    if (k % 900 == 850) input.observation.robot.q[0] = std::numeric_limits<double>::infinity();
    if (k % 1000 == 950) input.human.stop = true;
    if (k % 1000 == 999) input.human.acknowledge = true;
    if (k % 300 > 250) input.policy = {true, input.now_ns, input.human.u};
    Tick(model, input, data.get(), &decision);
    ASSERT_TRUE((*log)->Write(decision).ok());
    workload.Apply(decision.command);
  }
  if (close) {
    ASSERT_TRUE((*log)->Close().ok());
  } else {
    ASSERT_TRUE((*log)->Flush().ok());
  }
}

class DecisionLogTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto model = MakeBenchModel(GetParam());
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    path_ = TempPath(std::string(GetParam()) + "_log_test.mcap");
  }
  void TearDown() override { std::remove(path_.c_str()); }
  TickModel model_;
  std::string path_;
};

TEST_P(DecisionLogTest, ReplayIsBitEqual) {
  Record(model_, path_, 3000);
  const auto report = Replay(path_, model_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ticks, 3000U);
  EXPECT_TRUE(report->identical) << report->first_difference << ": " << report->difference;
}

TEST_P(DecisionLogTest, ReplayNoticesOneChangedBit) {
  Record(model_, path_, 500);
  auto reader = DecisionLogReader::Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const std::string forged = path_ + ".forged";
  auto log = DecisionLogWriter::Create(forged, (*reader)->info(), *model_.safety->robot);
  ASSERT_TRUE(log.ok()) << log.status();
  Decision d;
  for (int k = 0; *(*reader)->Next(&d); ++k) {
    if (k == 321) d.command.u[0] = std::nextafter(d.command.u[0], 10);
    ASSERT_TRUE((*log)->Write(d).ok());
  }
  ASSERT_TRUE((*log)->Close().ok());
  const auto report = Replay(forged, model_);
  std::remove(forged.c_str());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->identical);
  EXPECT_EQ(report->different, 1U);
  EXPECT_EQ(report->first_difference, 322U);
}

TEST_P(DecisionLogTest, ReplayRefusesAnotherModel) {
  Record(model_, path_, 10);
  TickModel other = model_;
  other.arbitration.authority_cap = 0.123;
  EXPECT_EQ(Replay(path_, other).status().code(), absl::StatusCode::kFailedPrecondition);
  other = model_;
  other.policy = nullptr;
  EXPECT_EQ(Replay(path_, other).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(DecisionLogTest, ReplayRefusesAnotherRobotAndAnotherRobotFile) {
  Record(model_, path_, 10);
  const char* another = std::string(GetParam()) == "arm7" ? "wheelchair" : "arm7";
  const auto other = MakeBenchModel(another);
  ASSERT_TRUE(other.ok()) << other.status();
  const Status refused = Replay(path_, *other).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find(another), std::string_view::npos) << refused;
  const auto reader = DecisionLogReader::Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto wrong_file = ModelForLog((*reader)->info(), *FindNamed(another, "robots", ".yaml"),
                                      model_.safety, model_.policy);
  EXPECT_NE(wrong_file.status().message().find("not the robot file"), std::string_view::npos);
}

TEST(SameCommand, NamesTheFirstDifference) {
  const safety::Command a{};
  const auto difference = [&](const auto& change) {
    safety::Command b = a;
    change(&b);
    std::string what;
    EXPECT_FALSE(SameCommand(a, b, &what));
    return what;
  };
  EXPECT_TRUE(SameCommand(a, a));
  EXPECT_EQ(difference([](auto* c) { c->issued_ns = 1; }), "issued_ns");
  EXPECT_EQ(difference([](auto* c) { c->valid_for_ns = 1; }), "valid_for_ns");
  EXPECT_EQ(difference([](auto* c) { c->sequence = 9; }), "sequence");
  EXPECT_EQ(difference([](auto* c) { c->mode = safety::Mode::kHold; }).substr(0, 6), "mode: ");
  EXPECT_EQ(difference([](auto* c) { c->reason = safety::Reason::kFilterInfeasible; }).substr(0, 8),
            "reason: ");
  EXPECT_EQ(difference([](auto* c) { c->u[1] = -0.0; }).substr(0, 6), "u[1]: ");
}

TEST_P(DecisionLogTest, TheLogRestoresItsModelsSettings) {
  model_.arbitration.authority_cap = 1.0 / 3;
  model_.arbitration.method = Arbitration::kHindsight;
  model_.limits.degraded_speed = 0.25;
  Record(model_, path_, 200);
  auto reader = DecisionLogReader::Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const std::string file = *FindNamed(GetParam(), "robots", ".yaml");
  const auto restored = ModelForLog((*reader)->info(), file, model_.safety, model_.policy);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(TickSettings(*restored), TickSettings(model_));
  EXPECT_TRUE(Replay(path_, *restored)->identical);
}

TEST_P(DecisionLogTest, EveryCutIsReportedAndTheWholePartCanBeRead) {
  Record(model_, path_, 2000);
  const std::string bytes = *ReadFile(path_);
  for (size_t cut : {size_t{0}, size_t{5}, size_t{8}, size_t{40}, bytes.size() / 3,
                     bytes.size() - 200, bytes.size() - 1}) {
    const std::string_view part(bytes.data(), cut);
    auto strict = DecisionLogReader::OpenBytes(part, "cut");
    Status status = strict.status();
    Decision d;
    while (status.ok()) {
      auto next = (*strict)->Next(&d);
      status = next.status();
      ASSERT_TRUE(!next.ok() || *next) << "a cut log ended as if it were whole: " << cut;
    }
    EXPECT_FALSE(status.message().empty());
  }
  auto lenient = DecisionLogReader::OpenBytes(std::string_view(bytes).substr(0, bytes.size() - 200),
                                              "cut", {.accept_truncated = true});
  ASSERT_TRUE(lenient.ok()) << lenient.status();
  Decision d;
  int count = 0;
  while (*(*lenient)->Next(&d)) ++count;
  EXPECT_EQ(count, 2000);
  EXPECT_TRUE((*lenient)->truncated());
}

INSTANTIATE_TEST_SUITE_P(Robots, DecisionLogTest,
                         testing::Values("wheelchair", "arm7", "exoskeleton"));

TEST(DecisionLog, AFlippedBitAnywhereIsAnErrorOrLeavesTheDecisionsWhole) {
  const TickModel model = *MakeBenchModel("exoskeleton");
  const std::string path = TempPath("flip.mcap");
  Record(model, path, 40);
  const std::string bytes = *ReadFile(path);
  std::remove(path.c_str());
  Random random(4);
  int errors = 0;
  for (int k = 0; k < 300; ++k) {
    std::string damaged = bytes;
    damaged[static_cast<size_t>(random.Index(static_cast<int>(bytes.size())))] ^=
        static_cast<char>(1 << random.Index(8));
    auto reader = DecisionLogReader::OpenBytes(damaged, "damaged");
    Status status = reader.status();
    Decision d;
    while (status.ok()) {
      auto next = (*reader)->Next(&d);
      status = next.status();
      if (next.ok() && !*next) break;
    }
    errors += status.ok() ? 0 : 1;
  }
  EXPECT_EQ(errors, 300);  // every byte is under a CRC, or checked itself
}

TEST(BlackBoxTest, FreezesWhatLedToAStop) {
  const TickModel model = *MakeBenchModel("exoskeleton");
  const auto data = Prepare(model);
  Workload workload(model.safety->robot);
  BlackBox box(100, 10);
  Decision d;
  const auto run = [&](int ticks, bool stop) {
    for (int k = 0; k < ticks; ++k) {
      TickInput input = workload.Next();
      input.stop_requested = stop;
      Tick(model, input, data.get(), &d);
      box.Record(d);
      workload.Apply(d.command);
    }
  };
  run(300, false);
  EXPECT_FALSE(box.HasFrozen());
  run(11, true);
  ASSERT_TRUE(box.HasFrozen());
  const auto frozen = box.Frozen();
  ASSERT_EQ(frozen.size(), 100U);
  for (size_t i = 1; i < frozen.size(); ++i)
    EXPECT_EQ(frozen[i]->input.sequence, frozen[i - 1]->input.sequence + 1);
  EXPECT_EQ(frozen.back()->command.reason, safety::Reason::kStopRequested);
  EXPECT_EQ(frozen.front()->command.mode, safety::Mode::kNominal);
  const std::string path = TempPath("box.mcap");
  const auto info = DescribeModel(model, *FindNamed("exoskeleton", "robots", ".yaml"));
  ASSERT_TRUE(box.Dump(path, *info, *model.safety->robot).ok());
  EXPECT_FALSE(box.HasFrozen());
  auto reader = DecisionLogReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  int count = 0;
  while (*(*reader)->Next(&d)) ++count;
  EXPECT_EQ(count, 100);
  std::remove(path.c_str());
}

TEST(Crc32Test, KnownValuesAndConcatenation) {
  EXPECT_EQ(Crc32(0, "123456789", 9), 0xCBF43926U);
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (size_t i = 0; i <= text.size(); ++i)
    EXPECT_EQ(Crc32(Crc32(0, text.data(), i), text.data() + i, text.size() - i),
              Crc32(0, text.data(), text.size()));
}

TEST(TickSettingsTest, RefuseWhatIsNotASetting) {
  TickModel model = *MakeBenchModel("exoskeleton", false);
  auto settings = TickSettings(model);
  EXPECT_TRUE(ApplyTickSettings(settings, &model).ok());
  settings["arbitration.method"] = "magic";
  EXPECT_FALSE(ApplyTickSettings(settings, &model).ok());
  settings = TickSettings(model);
  settings["limits.degraded_speed"] = "0.5x";
  EXPECT_FALSE(ApplyTickSettings(settings, &model).ok());
  settings = TickSettings(model);
  settings["limits.new"] = "1";
  EXPECT_FALSE(ApplyTickSettings(settings, &model).ok());
  settings = TickSettings(model);
  settings.erase("latch.dwell_ns");
  EXPECT_FALSE(ApplyTickSettings(settings, &model).ok());
}

}  // namespace
}  // namespace saferl::control
