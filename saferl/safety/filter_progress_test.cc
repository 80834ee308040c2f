// Progress is the other half of safety: a filter that freezes gets switched off. An expert drives
// the wheelchair with and without the filter, with every measurement wrong by up to its stated
// error.

#include <gtest/gtest.h>

#include "saferl/safety/testing/chair_world.h"

namespace saferl::safety {
namespace {

using testing::Doorway;
using testing::Drive;
using testing::DriveOptions;
using testing::DriveResult;

struct Ratio {
  double time = 0;
  int arrived = 0, runs = 0;
  double moving_clearance_m = 10;
};

Ratio Compare(const testing::World& world, robot::Joints start,
              const std::vector<math::Vec3>& way) {
  const auto model = LoadSafetyModel("wheelchair");
  EXPECT_TRUE(model.ok()) << model.status();
  Ratio ratio;
  double filtered = 0, unfiltered = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    DriveOptions options;
    options.seed = seed;
    const DriveResult with = Drive(**model, world, start, way, options);
    options.filtered = false;
    unfiltered += Drive(**model, world, start, way, options).time_s;
    filtered += with.time_s;
    ratio.arrived += with.arrived;
    ++ratio.runs;
    ratio.moving_clearance_m = std::min(ratio.moving_clearance_m, with.moving_clearance_m);
  }
  ratio.time = filtered / unfiltered;
  return ratio;
}

TEST(FilterProgress, ThroughA90CentimetreDoorway) {
  const Ratio r = Compare(Doorway(0.9), {0, 0, 0}, {{0, 0, 0}, {7, 0, 0}});
  EXPECT_EQ(r.arrived, r.runs);
  EXPECT_LE(r.time, 1.15);
  EXPECT_GT(r.moving_clearance_m, 0);
}

TEST(FilterProgress, ThroughADoorwayFromTheSide) {
  const Ratio r =
      Compare(Doorway(1.0), {0, 2, -1.57},
              {{0, 2, 0}, {0.6, 0.4, 0}, {1.6, 0, 0}, {4.6, 0, 0}, {6, 1, 0}, {6, 3, 0}});
  EXPECT_EQ(r.arrived, r.runs);
  EXPECT_LE(r.time, 1.15);
  EXPECT_GT(r.moving_clearance_m, 0);
}

TEST(FilterProgress, AmongCrossingPedestrians) {
  testing::World world = Doorway(8.0);
  world.walkers = {{3, -3, 0, 0.8}, {5, 3.5, 0, -1.0}};
  const Ratio r = Compare(world, {-2, 0, 0}, {{-2, 0, 0}, {7, 0, 0}});
  EXPECT_EQ(r.arrived, r.runs);
  EXPECT_LE(r.time, 1.15);
  EXPECT_GT(r.moving_clearance_m, 0);
}

TEST(FilterProgress, DrivingIntoAWallStopsBeforeItAndCanLeave) {
  const auto model = LoadSafetyModel("wheelchair");
  ASSERT_TRUE(model.ok());
  DriveOptions options;
  options.limit_s = 30;
  // Ten seconds straight at a corner of the room, then turn and back out.
  robot::Joints last{};
  options.wish = [&last](const robot::Joints& q, double t) -> robot::Joints {
    last = q;
    if (t < 10) return {1.0, 0.0};
    if (t < 20) return {-0.4, 0.0};
    return {0.0, 1.0};
  };
  const DriveResult r = Drive(**model, Doorway(8.0), {6, 2.5, 0.5}, {}, options);
  EXPECT_GT(r.worst_clearance_m, 0);
  EXPECT_LT(last[0], 7.5);                                   // it backed out
  EXPECT_GT(std::abs(math::WrapAngle(last[2] - 0.5)), 0.3);  // and turned
}

}  // namespace
}  // namespace saferl::safety
