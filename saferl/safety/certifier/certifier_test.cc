#include "saferl/safety/certifier/certifier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace saferl::safety {
namespace {

/// A chair that drives straight on at 1 m/s toward a pedestrian `gap_m` before its footprint.
struct Drive {
  robot::Observation observation;
  TickRecord record;
  CertifierData chain;

  explicit Drive(double gap_m) {
    observation.stamp_ns = observation.robot.stamp_ns = 1'000'000'000;
    observation.people_stamp_ns = observation.lidar_stamp_ns = 1'000'000'000;
    observation.robot.qd = {1.0, 0};
    observation.n_parts = 1;
    const double x = 0.65 + gap_m + 0.2;
    observation.parts[0].capsule_W = {{x, 0, 0.2}, {x, 0, 1.5}, 0.2};
    observation.parts[0].stamp_ns = 1'000'000'000;
    observation.n_lidar = 360;
    observation.lidar_m.fill(std::numeric_limits<float>::infinity());
    record.now_ns = 1'000'000'000;
    record.previous = record.command = {1.0, 0};
    chain.n_sent = 1;
    chain.sent[0] = record.previous;
    chain.sent_ns[0] = record.now_ns - 20'000'000;
  }
  Certificate Check() {
    record.observation = &observation;
    static const auto model = LoadCertifier("wheelchair").value();
    return CertifyTick(*model, record, &chain);
  }
};

TEST(Certifier, AcceptsADriveThatCanStopInTime) {
  const Certificate certificate = Drive(3.0).Check();
  EXPECT_TRUE(certificate.valid) << certificate.why;
  EXPECT_EQ(certificate.rule, CertificateRule::kFresh);
}

TEST(Certifier, StopsAcceptingWhereAHandCalculationSays) {
  // v^2 / 2b + hold v + v_h (hold + v / b) + epsilon, and at most 0.25 m of errors on top.
  const double stop = 1.0 / 1.5, hold = 0.07;
  const double least = 0.5 * stop + hold + 1.6 * (hold + stop) + 0.05;
  EXPECT_FALSE(Drive(least - 0.001).Check().valid);
  EXPECT_TRUE(Drive(least + 0.25).Check().valid);
}

TEST(Certifier, RejectsATamperedCommand) {
  Drive drive(3.0);
  drive.record.command = {1.4, 0};  // beyond the limit, and a jump
  EXPECT_FALSE(drive.Check().valid);
}

TEST(Certifier, RejectsATamperedObservation) {
  Drive nearer(3.0);
  nearer.observation.parts[0].capsule_W.a.x -= 2.0;
  nearer.observation.parts[0].capsule_W.b.x -= 2.0;
  EXPECT_FALSE(nearer.Check().valid);
  Drive older(3.0);
  older.observation.parts[0].stamp_ns -= 1'500'000'000;
  EXPECT_FALSE(older.Check().valid);
  Drive stale_state(3.0);
  stale_state.observation.robot.stamp_ns -= 100'000'000;
  EXPECT_FALSE(stale_state.Check().valid);
  Drive wall(3.0);
  for (int i = 170; i < 190; ++i) wall.observation.lidar_m[static_cast<size_t>(i)] = 0.8F;
  EXPECT_FALSE(wall.Check().valid);
}

TEST(Certifier, NotANumberIsNeverValid) {
  Drive command(3.0);
  command.record.command[0] = std::nan("");
  EXPECT_FALSE(command.Check().valid);
  Drive pose(3.0);
  pose.observation.robot.q[2] = std::nan("");
  EXPECT_FALSE(pose.Check().valid);
  Drive part(3.0);
  part.observation.parts[0].capsule_W.a.x = std::nan("");
  EXPECT_FALSE(part.Check().valid);
}

TEST(Certifier, AcceptsThePlanOnlyAfterAValidTick) {
  Drive drive(0.5);  // too near for a fresh certificate
  drive.record.command = {1.0 - 1.5 * 0.02, 0};
  EXPECT_FALSE(Drive(drive).Check().valid);
  drive.chain.chain_valid = true;
  const Certificate certificate = drive.Check();
  EXPECT_TRUE(certificate.valid);
  EXPECT_EQ(certificate.rule, CertificateRule::kPlan);
  // Braking less than rated is not the plan.
  Drive weak(0.5);
  weak.chain.chain_valid = true;
  weak.record.command = {1.0 - 0.5 * 1.5 * 0.02, 0};
  EXPECT_FALSE(weak.Check().valid);
}

TEST(Certifier, StandstillIsValidBesideAPerson) {
  Drive drive(0.0);
  drive.observation.robot.qd = {};
  drive.record.previous = drive.record.command = {};
  drive.chain = {};
  const Certificate certificate = drive.Check();
  EXPECT_TRUE(certificate.valid);
  EXPECT_EQ(certificate.rule, CertificateRule::kStandstill);
}

TEST(Certifier, UnknownRobotIsAnError) { EXPECT_FALSE(LoadCertifier("no_such_robot").ok()); }

}  // namespace
}  // namespace saferl::safety
