#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/safety_section.h"

namespace saferl::safety {
namespace {

const std::vector<std::string> kRobots = {"wheelchair", "arm7", "exoskeleton"};

SafetyModel Copy(const std::string& name) {
  const auto model = LoadSafetyModel(name);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? **model : SafetyModel{};
}

TEST(SafetyModel, EveryShippedRobotLoadsAndIsValid) {
  for (const std::string& name : kRobots) EXPECT_TRUE(Copy(name).Validate().ok()) << name;
}

TEST(SafetyModel, FailsClosedOnEveryMissingAssumption) {
  for (const std::string& name : kRobots) {
    const SafetyModel good = Copy(name);
    const auto refuses = [&](auto change) {
      SafetyModel model = good;
      change(model);
      return !model.Validate().ok();
    };
    for (double bad : {0.0, -1.0, std::nan("")}) {
      EXPECT_TRUE(refuses([&](SafetyModel& m) { m.human.body_speed_m_s = bad; }));
      EXPECT_TRUE(refuses([&](SafetyModel& m) { m.human.reach_speed_m_s = bad; }));
      EXPECT_TRUE(refuses([&](SafetyModel& m) { m.human.error_m = bad; }));
      EXPECT_TRUE(refuses([&](SafetyModel& m) { m.weight[0] = bad; }));
    }
    EXPECT_TRUE(refuses([](SafetyModel& m) { m.robot = nullptr; }));
    EXPECT_TRUE(refuses([](SafetyModel& m) { m.proof.clear(); }));
    EXPECT_TRUE(refuses([](SafetyModel& m) { m.human.intrusion_m = -0.1; }));
    EXPECT_TRUE(refuses([](SafetyModel& m) { m.max_bisections = 0; }));
  }
  SafetyModel chair = Copy("wheelchair");
  chair.lidar_error_m = 0;
  EXPECT_FALSE(chair.Validate().ok());
}

TEST(SafetyModel, EveryNeededConstraintIsMissed) {
  const std::vector<std::pair<std::string, std::vector<ConstraintId>>> needed = {
      {"wheelchair",
       {ConstraintId::kAcceleration, ConstraintId::kKeepOut, ConstraintId::kSeparation,
        ConstraintId::kTipOver}},
      {"arm7",
       {ConstraintId::kJointPosition, ConstraintId::kJointVelocity, ConstraintId::kWorkspace,
        ConstraintId::kSeparation, ConstraintId::kContact}},
      {"exoskeleton",
       {ConstraintId::kJointPosition, ConstraintId::kJointVelocity, ConstraintId::kTorque,
        ConstraintId::kPower, ConstraintId::kInteractionForce}}};
  for (const auto& [name, ids] : needed) {
    const SafetyModel good = Copy(name);
    for (const ConstraintId id : ids) {
      SafetyModel model = good;
      std::erase_if(model.proof, [id](const auto& c) { return c->id() == id; });
      const Status status = model.Validate();
      EXPECT_FALSE(status.ok()) << name;
      EXPECT_NE(std::string(status.message()).find(Name(id)), std::string::npos) << status;
    }
  }
}

TEST(SafetyModel, OverridesReachBothPartsAndSkipValidation) {
  const std::vector<robot::Override> changes = {{"safety.human.error_m", 0.0}, {"reaction_s", 0.0}};
  const auto model = LoadSafetyModel("wheelchair", changes);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->human.error_m, 0.0);
  EXPECT_EQ((*model)->robot->reaction_s(), 0.0);
  EXPECT_FALSE((*model)->Validate().ok());
  const std::vector<robot::Override> typo = {{"safety.human.eror_m", 0.0}};
  EXPECT_NE(LoadSafetyModel("wheelchair", typo).status().message().find("human.error_m"),
            std::string::npos);
}

std::string WithChange(const std::string& from, const std::string& to) {
  std::string text = *ReadFile(*FindData("robots/wheelchair.yaml"));
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(SafetySection, BadFilesAreRefusedByName) {
  const auto message = [](const std::string& text) {
    return std::string(ReadSafetySection(text, "w.yaml").status().message());
  };
  EXPECT_NE(message(WithChange("error_m: 0.05 ", "error_m: 0 ")).find("human.error_m"),
            std::string::npos);
  EXPECT_NE(message(WithChange("body_speed_m_s", "body_sped_m_s")).find("body_speed_m_s"),
            std::string::npos);
  EXPECT_NE(message(WithChange("body_speed_m_s: 1.6", "body_speed_m_s: .nan")).find("w.yaml:"),
            std::string::npos);
  EXPECT_NE(message("kind: wheelchair\n").find("safety"), std::string::npos);
  EXPECT_NE(message("safety: 3\n").find("map"), std::string::npos);
  EXPECT_FALSE(ReadSafetySection("safety: {weight: [1]}", "w.yaml").ok());  // human is required
}

TEST(SafetySection, MissingRobotFileSaysWhereItLooked) {
  EXPECT_FALSE(LoadSafetyModel("wheelchar").ok());
  EXPECT_FALSE(LoadSafetyModel("no/such/file.yaml").ok());
}

}  // namespace
}  // namespace saferl::safety
