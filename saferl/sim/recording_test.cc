#include "saferl/sim/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "saferl/base/data_path.h"
#include "saferl/sim/recording_run.h"

namespace saferl::sim {
namespace {

using testing::HasSubstr;

TEST(Recording, TracksAreInterpolatedAndPlayedBackAndForth) {
  const auto recording = ParseRecording(
      "t_s,who,x_m,y_m\n0,p1,0,0\n1,p1,2,0\n0.5,p2,1,1\n1.5,p2,1,1\n0,v1,9,9\n", "a.csv");
  ASSERT_TRUE(recording.ok()) << recording.status();
  ASSERT_EQ(recording->tracks.size(), 2U);
  EXPECT_DOUBLE_EQ(recording->max_speed_m_s, 2.0);
  Point p;
  ASSERT_TRUE(recording->At(0, 0.25, &p));
  EXPECT_DOUBLE_EQ(p.x, 0.5);
  EXPECT_FALSE(recording->At(0, 1.2, &p));
  EXPECT_FALSE(recording->At(1, 0.4, &p));
  EXPECT_DOUBLE_EQ(recording->Played(1.0), 1.0);
  EXPECT_DOUBLE_EQ(recording->Played(2.0), 1.0);
  EXPECT_DOUBLE_EQ(recording->Played(3.0), 0.0);
}

TEST(Recording, NobodyAppearsOutOfNothing) {
  const auto recording = ParseRecording(
      "t_s,who,x_m,y_m\n5,p1,3,0\n6,p1,5,0\n7,p1,5,1\n5,p2,1,1\n6,p2,1,1\n", "a.csv");
  ASSERT_TRUE(recording.ok()) << recording.status();
  Point p;
  ASSERT_TRUE(recording->Passing(0, 4, &p));  // came at 2 m/s
  EXPECT_DOUBLE_EQ(p.x, 1);
  ASSERT_TRUE(recording->Passing(0, 5.5, &p));  // as recorded
  EXPECT_DOUBLE_EQ(p.x, 4);
  EXPECT_TRUE(recording->Passing(1, 5.5, &p));
  EXPECT_FALSE(recording->Passing(1, 4, &p));    // stands: no way to come along
  EXPECT_FALSE(recording->Passing(1, 6.5, &p));  // has left
  // Played backward after 10 s: p3 makes the recording that long.
  const auto longer =
      ParseRecording("t_s,who,x_m,y_m\n6,p1,5,0\n7,p1,5,1\n0,p3,0,0\n10,p3,9,9\n", "a.csv");
  ASSERT_TRUE(longer.ok()) << longer.status();
  ASSERT_TRUE(longer->Passing(0, 11, &p));  // 9 s: comes back at 1 m/s
  EXPECT_DOUBLE_EQ(p.y, 3);
  EXPECT_FALSE(longer->Passing(0, 9, &p));  // has left
}

TEST(Recording, ErrorsNameTheLine) {
  struct Case {
    const char *text, *says;
  };
  const Case cases[] = {
      {"", "no rows"},
      {"t_s,who,x_m,y_m\n", "no rows"},
      {"time,who,x_m,y_m\n", "a.csv:1"},
      {"t_s,who,x_m\n0,p,1\n", "a.csv:1"},
      {"t_s,who,x_m,y_m\n0,p,1,nan\n", "a.csv:2: y_m"},
      {"t_s,who,x_m,y_m\n0,p,1,2\n0,p,1,2\n", "a.csv:3: t_s"},
      {"t_s,who,x_m,y_m\n0,p,1,2,3\n", "a.csv:2: 5 cells"},
      {"t_s,who,x_m,y_m\n0,p,1e9,2\n", "a.csv:2: x_m"},
      {"t_s,who,x_m,y_m\n0,,1,2\n", "a.csv:2: who"},
  };
  for (const Case& c : cases) {
    const auto recording = ParseRecording(c.text, "a.csv");
    ASSERT_FALSE(recording.ok()) << c.text;
    EXPECT_THAT(recording.status().ToString(), HasSubstr(c.says)) << c.text;
  }
}

TEST(Recording, TheWorkersClipsLoadAndExceedTheStandardsReach) {
  double fastest = 0;
  const std::vector<std::string> clips = FindRecordings(*FindData("people"), "cmu_62");
  EXPECT_EQ(clips.size(), 9U);
  for (const std::string& path : clips) {
    const auto recording = LoadRecording(path);
    ASSERT_TRUE(recording.ok()) << recording.status();
    EXPECT_TRUE(recording->skeleton);
    fastest = std::max(fastest, recording->max_reach_m_s);
  }
  EXPECT_GT(fastest, 2.0);
}

TEST(Recording, PeopleMayBeNamedByThePersonColumn) {
  const auto recording = ParseRecording("t_s,person,x_m,y_m\n0,7,1,2\n0.4,7,2,2\n0,9,0,0\n", "e");
  ASSERT_TRUE(recording.ok()) << recording.status();
  ASSERT_EQ(recording->tracks.size(), 2U);
  EXPECT_EQ(recording->tracks[0].who, "7");
  EXPECT_DOUBLE_EQ(recording->max_speed_m_s, 2.5);
}

/// With v_h above the recording nothing is violated; with the standard's every breach is answered
/// at once; people cost productivity but do not end it.
void CheckRun(const RecordingReport& report) {
  EXPECT_EQ(report.above.Violations(), 0) << report.name;
  EXPECT_EQ(report.above.breach.breaches, 0) << report.name;
  EXPECT_EQ(report.standard.Violations(), 0) << report.name;
  EXPECT_EQ(report.standard.breach.answered, report.standard.breach.breaches) << report.name;
  EXPECT_GT(report.above.m_per_min, 0) << report.name;
  EXPECT_GT(report.nobody_m_per_min, report.above.m_per_min - 1.0) << report.name;
  EXPECT_TRUE(report.Passed()) << report.name;
}

TEST(RecordingRun, AWorkerBesideTheArm) {
  int64_t breaches = 0;
  for (const std::string clip : {"cmu_62_01.csv", "cmu_62_04.csv"}) {
    auto recording = LoadRecording(*FindData("people/" + clip));
    ASSERT_TRUE(recording.ok()) << recording.status();
    const auto report = RecordingRun({.robot = "arm7", .duration_s = 6.0},
                                     std::make_shared<Recording>(*std::move(recording)));
    ASSERT_TRUE(report.ok()) << report.status();
    CheckRun(*report);
    EXPECT_GT(report->body_max_m_s, 1.6);
    EXPECT_GT(report->too_fast_share, 0);
    breaches += report->standard.breach.breaches;
  }
  EXPECT_GT(breaches, 0);
}

/// A made-up runner, 50 % above the standard's speed, and one who walks.
std::shared_ptr<const Recording> Runner() {
  std::string text = "t_s,who,x_m,y_m\n";
  for (int i = 0; i <= 100; ++i) {
    text += std::to_string(0.1 * i) + ",p1," + std::to_string(0.24 * i) + ",3\n";
    text += std::to_string(0.1 * i) + ",p2,12," + std::to_string(0.12 * i) + "\n";
  }
  return std::make_shared<Recording>(*ParseRecording(text, "runner"));
}

TEST(RecordingRun, ARunnerAroundTheWheelchair) {
  const auto report = RecordingRun({.robot = "wheelchair", .duration_s = 20.0}, Runner());
  ASSERT_TRUE(report.ok()) << report.status();
  CheckRun(*report);
  EXPECT_GT(report->standard.breach.breaches, 0);
  EXPECT_NEAR(report->body_max_m_s, 2.4, 1e-9);
  EXPECT_NEAR(report->too_fast_share, 0.5, 1e-9);
}

/// Crowds are not part of the project: they are read from $SAFERL_PEOPLE, or from beside the
/// checkout, where they lie there.
TEST(RecordingRun, CrowdsAroundTheWheelchair) {
  std::string folder;
  if (std::getenv("SAFERL_PEOPLE") == nullptr) {
    folder = *FindData("people") + "/../../../shared/data/people";
  }
  std::vector<std::shared_ptr<const Recording>> crowds = {Runner()};
  for (const std::string prefix : {"citr_", "pedestrians_"}) {
    for (const std::string& path : FindRecordings(folder, prefix)) {
      auto recording = LoadRecording(path);
      ASSERT_TRUE(recording.ok()) << recording.status();
      crowds.push_back(std::make_shared<Recording>(*std::move(recording)));
    }
  }
  const auto reports =
      RecordingRuns({.robot = "wheelchair", .duration_s = 10.0, .threads = 2}, crowds);
  ASSERT_TRUE(reports.ok()) << reports.status();
  ASSERT_EQ(reports->size(), crowds.size());
  for (const RecordingReport& report : *reports) CheckRun(report);
}

TEST(RecordingRun, RefusesWhatTheRobotDoesNotMeet) {
  EXPECT_THAT(RecordingRun({.robot = "arm7", .duration_s = 1.0}, Runner()).status().ToString(),
              HasSubstr("arm7 meets skeletons"));
  EXPECT_THAT(RecordingsFor("exoskeleton", "").status().ToString(), HasSubstr("--robot"));
  EXPECT_THAT(RecordingsFor("arm7", "/nowhere").status().ToString(), HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace saferl::sim
