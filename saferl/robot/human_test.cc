#include "saferl/robot/human.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace saferl::robot {
namespace {

/// A man of 1.75 m standing at the origin, facing x, arms hanging.
Skeleton Standing() {
  return {{{0, 0, 0.95},
           {0, 0, 1.10},
           {0, 0, 1.22},
           {0, 0, 1.45},
           {0.02, 0, 1.55},
           {0, -0.2, 1.42},
           {0, -0.22, 1.12},
           {0, -0.22, 0.86},
           {0, 0.2, 1.42},
           {0, 0.22, 1.12},
           {0, 0.22, 0.86},
           {0, -0.09, 0.92},
           {0, -0.09, 0.5},
           {0, -0.09, 0.08},
           {0, 0.09, 0.92},
           {0, 0.09, 0.5},
           {0, 0.09, 0.08}}};
}

double Distance(std::span<const HumanPart> parts, math::Vec3 p) {
  double best = 1e9;
  for (const HumanPart& part : parts)
    best = std::min(best, math::CapsuleDistance({p, p, 0}, part.capsule_W));
  return best;
}

TEST(HumanTest, EveryJointAndWhatLiesBetweenIsCovered) {
  std::array<HumanPart, kMaxParts> parts;
  const Skeleton body = Standing();
  ASSERT_EQ(BodyParts(body, {}, 5, 3, parts), kBodyParts);
  const std::span<const HumanPart> all(parts.data(), kBodyParts);
  for (int i = 0; i < kBodyJoints; ++i)
    EXPECT_LT(Distance(all, body[i]), 0) << Name(static_cast<BodyJoint>(i));
  EXPECT_LT(Distance(all, {0.02, 0, 1.74}), 0);    // top of the head
  EXPECT_LT(Distance(all, {0, 0.22, 0.69}), 0);    // finger tips
  EXPECT_LT(Distance(all, {0.12, 0, 1.30}), 0);    // breast bone
  EXPECT_GT(Distance(all, {0.60, 0, 1.30}), 0.3);  // thin air
  std::set<uint16_t> tracks;
  for (const HumanPart& part : all) {
    tracks.insert(part.track);
    EXPECT_EQ(part.stamp_ns, 5);
    EXPECT_EQ(part.person, 3);
  }
  EXPECT_EQ(tracks.size(), static_cast<size_t>(kBodyParts));
}

TEST(HumanTest, ArmsReachAndTheTrunkDoesNot) {
  std::array<HumanPart, kMaxParts> parts;
  const int n = BodyParts(Standing(), {}, 0, 0, parts);
  int reaching = 0;
  for (int i = 0; i < n; ++i) reaching += IsReaching(parts[i].region);
  EXPECT_EQ(reaching, 6);
}

TEST(HumanTest, ALostJointIsNotHidden) {
  Skeleton body = Standing();
  body[static_cast<size_t>(BodyJoint::kRightWrist)].y = std::numeric_limits<double>::quiet_NaN();
  std::array<HumanPart, kMaxParts> parts;
  BodyParts(body, {}, 0, 0, parts);
  int lost = 0;
  for (int i = 0; i < kBodyParts; ++i)
    lost += std::isnan(math::CapsuleDistance(parts[i].capsule_W, {{3, 0, 0}, {3, 0, 1}, 0.1}));
  EXPECT_EQ(lost, 2);  // forearm and hand
}

TEST(HumanTest, SmallOutputIsNotOverrun) {
  std::array<HumanPart, 3> parts;
  EXPECT_EQ(BodyParts(Standing(), {}, 0, 0, parts), 3);
}

TEST(HumanTest, PedestrianStandsOnTheFloor) {
  const HumanPart p = Pedestrian(1, 2, 7, 4);
  EXPECT_EQ(p.region, Region::kPedestrian);
  EXPECT_DOUBLE_EQ(p.capsule_W.b.z + p.capsule_W.radius, 1.7);
  EXPECT_DOUBLE_EQ(p.capsule_W.a.z - p.capsule_W.radius, 0);
  EXPECT_EQ(p.capsule_W.a.x, 1);
  EXPECT_EQ(p.capsule_W.a.y, 2);
}

TEST(HumanTest, NamesAreTheRecordingsColumns) {
  EXPECT_EQ(Name(BodyJoint::kPelvis), "pelvis");
  EXPECT_EQ(Name(BodyJoint::kRightShoulder), "r_shoulder");
  EXPECT_EQ(Name(BodyJoint::kLeftAnkle), "l_ankle");
  EXPECT_EQ(Name(BodyJoint::kCount), "unknown");
}

}  // namespace
}  // namespace saferl::robot
