#include "saferl/sim/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

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

/// With v_h above the recording nothing is violated; with the standard's every breach is answered
/// at once.
void CheckRun(const RecordingReport& report, const std::string& name) {
  std::cout << name << ": recorded max " << report.max_speed_m_s << " m/s; above "
            << report.above_m_per_min << " m/min, standard " << report.standard_m_per_min
            << " m/min, breaches " << report.standard.breaches << " answered "
            << report.standard.breaches_answered << "\n";
  EXPECT_EQ(report.above.collision, Hit::kNothing) << name;
  EXPECT_EQ(report.above.breaches, 0) << name;
  EXPECT_EQ(report.above.unproved_moving_ticks, 0) << name;
  EXPECT_EQ(report.standard.collision, Hit::kNothing) << name;
  EXPECT_EQ(report.standard.breaches_answered, report.standard.breaches) << name;
}

TEST(RecordingRun, AWorkerBesideTheArm) {
  int64_t breaches = 0;
  for (const std::string clip : {"cmu_62_01.csv", "cmu_62_04.csv"}) {
    auto recording = LoadRecording(*FindData("people/" + clip));
    ASSERT_TRUE(recording.ok()) << recording.status();
    const auto report =
        RecordingRun("arm7", std::make_shared<Recording>(*std::move(recording)), 1, 6);
    ASSERT_TRUE(report.ok()) << report.status();
    CheckRun(*report, clip);
    breaches += report->standard.breaches;
  }
  EXPECT_GT(breaches, 0);
}

TEST(RecordingRun, WalkersAroundTheWheelchair) {
  // Crowds are not part of the project: they are read where $SAFERL_PEOPLE says, and a made-up
  // runner stands in.
  std::vector<std::shared_ptr<const Recording>> all;
  std::string text = "t_s,who,x_m,y_m\n";
  for (int i = 0; i <= 100; ++i) {
    text += std::to_string(0.1 * i) + ",p1," + std::to_string(0.24 * i) + ",3\n";
    text += std::to_string(0.1 * i) + ",p2,12," + std::to_string(0.12 * i) + "\n";
  }
  all.push_back(std::make_shared<Recording>(*ParseRecording(text, "runner")));
  for (const std::string& path : FindRecordings("", "citr_")) {
    auto recording = LoadRecording(path);
    ASSERT_TRUE(recording.ok()) << recording.status();
    all.push_back(std::make_shared<Recording>(*std::move(recording)));
  }
  int64_t breaches = 0;
  for (const auto& recording : all) {
    const auto report = RecordingRun("wheelchair", recording, 1, 20);
    ASSERT_TRUE(report.ok()) << report.status();
    CheckRun(*report, recording->name);
    breaches += report->standard.breaches;
  }
  EXPECT_GT(breaches, 0);
}

}  // namespace
}  // namespace saferl::sim
