#include "saferl/sim/drive.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "saferl/control/decision_log.h"

namespace saferl::sim {
namespace {

std::vector<DriveOptions> Fleet(PersonKind person, Column column, int n, uint64_t first_seed) {
  std::vector<DriveOptions> options(static_cast<size_t>(n));
  for (size_t i = 0; i < options.size(); ++i) {
    options[i].seed = first_seed + i;
    options[i].person = person;
    options[i].column = column;
    options[i].physics = Physics::kClosedForm;
    options[i].max_time_s = 40;
  }
  return options;
}

class EveryPerson : public testing::TestWithParam<int> {};

TEST_P(EveryPerson, TheFullSystemTouchesNothing) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto kind = static_cast<PersonKind>(GetParam());
  const auto results = DriveAll(*model, Fleet(kind, Column::kFull, 12, 100), 2);
  ASSERT_TRUE(results.ok()) << results.status();
  double travelled = 0;
  for (size_t i = 0; i < results->size(); ++i) {
    const DriveResult& result = (*results)[i];
    EXPECT_EQ(result.collision, Hit::kNothing) << Name(kind) << " seed " << 100 + i;
    EXPECT_EQ(result.unproved_moving_ticks, 0) << Name(kind) << " seed " << 100 + i;
    travelled += result.travelled_m;
  }
  EXPECT_GT(travelled, 12.0) << Name(kind);
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryPerson, testing::Range(0, kNumPersonKinds),
                         [](const auto& one) {
                           return std::string(Name(static_cast<PersonKind>(one.param)));
                         });

TEST(Drive, WithoutTheSystemNovicesAndHostileDriversDoHitThings) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  for (const PersonKind kind : {PersonKind::kNovice, PersonKind::kHostile}) {
    const auto results = DriveAll(*model, Fleet(kind, Column::kAlone, 12, 100), 2);
    ASSERT_TRUE(results.ok()) << results.status();
    int hits = 0;
    for (const DriveResult& result : *results) hits += result.collision != Hit::kNothing;
    EXPECT_GE(hits, 2) << Name(kind);
  }
}

TEST(Drive, ResultsDoNotDependOnThreads) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto options = Fleet(PersonKind::kNoisy, Column::kFull, 6, 40);
  const auto one = DriveAll(*model, options, 1), three = DriveAll(*model, options, 3);
  ASSERT_TRUE(one.ok() && three.ok());
  for (size_t i = 0; i < one->size(); ++i) {
    EXPECT_EQ((*one)[i].time_s, (*three)[i].time_s);
    EXPECT_EQ((*one)[i].travelled_m, (*three)[i].travelled_m);
    EXPECT_EQ((*one)[i].mean_distortion, (*three)[i].mean_distortion);
  }
}

/// Must show: the filter costs an expert little (`saferl bench progress` measures it).
/// SAFERL_DRIVES sets the number of scenes (default 100: one long wait at a doorway is 3 % of 40).
class Progress : public testing::TestWithParam<int> {};

TEST_P(Progress, AnExpertKeepsIt) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const char* wanted = std::getenv("SAFERL_DRIVES");
  const int n = wanted != nullptr ? std::max(1, std::atoi(wanted)) : 100;
  auto alone_options = Fleet(PersonKind::kExpert, Column::kAlone, n, 1000);
  auto full_options = Fleet(PersonKind::kExpert, Column::kFull, n, 1000);
  for (auto* options : {&alone_options, &full_options}) {
    for (DriveOptions& one : *options) {
      one.scene_options.max_pedestrians = GetParam();
      one.max_time_s = 60;
    }
  }
  const auto alone = DriveAll(*model, alone_options, 2), full = DriveAll(*model, full_options, 2);
  ASSERT_TRUE(alone.ok() && full.ok());
  int alone_reached = 0, full_reached = 0;
  double alone_s = 0, full_s = 0;
  for (size_t i = 0; i < alone->size(); ++i) {
    alone_reached += (*alone)[i].goal_reached;
    full_reached += (*full)[i].goal_reached;
    EXPECT_EQ((*full)[i].collision, Hit::kNothing);
    if (!(*alone)[i].goal_reached || !(*full)[i].goal_reached) continue;
    alone_s += (*alone)[i].time_s;
    full_s += (*full)[i].time_s;
  }
  std::printf("expert, %d scenes: alone %d goals, full %d goals, time ratio %.3f\n", n,
              alone_reached, full_reached, full_s / alone_s);
  EXPECT_GE(full_reached, 0.98 * alone_reached);
  EXPECT_LE(full_s, 1.15 * alone_s);
}

INSTANTIATE_TEST_SUITE_P(Pedestrians, Progress, testing::Values(0, 2));

TEST(Drive, ALogHoldsEveryTick) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  auto options = Fleet(PersonKind::kTremor, Column::kFull, 1, 7).front();
  options.max_time_s = 5;
  options.log_path = testing::TempDir() + "drive_test.mcap";
  const auto result = Drive(*model, options);
  ASSERT_TRUE(result.ok()) << result.status();
  auto reader = control::DecisionLogReader::Open(options.log_path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  control::Decision decision;
  int64_t n = 0;
  while (true) {
    const auto more = (*reader)->Next(&decision);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    ++n;
  }
  EXPECT_EQ(n, result->ticks);
}

}  // namespace
}  // namespace saferl::sim
