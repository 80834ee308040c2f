#include "saferl/sim/lidar.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "saferl/base/random.h"

namespace saferl::sim {
namespace {

/// The plain way: every beam against every side and every disc.
double PlainRange(const Scene& scene, std::span<const Disc> people, Point o, double angle,
                  double max_range) {
  double range = max_range;
  const Point d{std::cos(angle), std::sin(angle)};
  for (const Edge& edge : scene.edges) {
    const Point a = edge.a - o, e = edge.b - edge.a;
    const double denominator = Cross(d, e);
    if (denominator == 0) continue;
    const double r = Cross(a, e) / denominator, s = Cross(a, d) / denominator;
    if (r >= 0 && s >= -1e-9 && s <= 1 + 1e-9) range = std::min(range, r);
  }
  for (const Disc& disc : people) {
    const Point c = disc.p - o;
    const double along = Dot(c, d), rest = disc.radius * disc.radius - (Dot(c, c) - along * along);
    if (rest >= 0 && along > 0) range = std::min(range, along - std::sqrt(rest));
  }
  return range;
}

class LidarBeams : public testing::TestWithParam<int> {};

TEST_P(LidarBeams, AgreesWithThePlainWay) {
  const int n = GetParam();
  const double max_range = 7.5;
  const Lidar lidar(n, max_range);
  std::vector<float> ranges(static_cast<size_t>(n));
  Random random(7, static_cast<uint64_t>(n));
  int hits = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Scene scene = MakeScene(seed);
    std::vector<Disc> people;
    for (int i = 0; i < 3; ++i)
      people.push_back({{random.Uniform(0, scene.x1), random.Uniform(0, scene.y1)}, 0.25});
    for (int k = 0; k < 5; ++k) {
      const Pose2 pose{random.Uniform(0.1, scene.x1), random.Uniform(0.1, scene.y1),
                       random.Uniform(-9, 9)};
      if (scene.grid.DistanceAt(pose.position()) < 0.2) continue;
      bool inside = false;
      for (const Disc& disc : people) inside |= Norm(disc.p - pose.position()) <= disc.radius;
      if (inside) continue;
      lidar.Cast(scene, people, pose, ranges);
      for (int i = 0; i < n; ++i) {
        const double angle = pose.yaw - std::numbers::pi + 2 * std::numbers::pi * i / n;
        const double plain = PlainRange(scene, people, pose.position(), angle, max_range);
        if (plain >= max_range) {
          EXPECT_TRUE(std::isinf(ranges[static_cast<size_t>(i)])) << seed << " " << i;
        } else {
          ASSERT_NEAR(ranges[static_cast<size_t>(i)], plain, 1e-5) << seed << " beam " << i;
          ++hits;
        }
      }
    }
  }
  EXPECT_GT(hits, 100 * n);
}

INSTANTIATE_TEST_SUITE_P(Counts, LidarBeams, testing::Values(1, 8, 36, 72, 181, 360));

TEST(Lidar, InsideAPersonReadsZero) {
  const Scene scene = MakeScene(3);
  const Lidar lidar(36, 8.0);
  std::vector<float> ranges(36);
  const std::vector<Disc> people = {{scene.start.position(), 0.3}};
  lidar.Cast(scene, people, scene.start, ranges);
  for (const float r : ranges) EXPECT_EQ(r, 0.0F);
}

}  // namespace
}  // namespace saferl::sim
