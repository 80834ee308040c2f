#include "saferl/math/geometry.h"

#include <gtest/gtest.h>

#include <numbers>

#include "saferl/base/random.h"

namespace saferl::math {
namespace {

Vec3 RandomPoint(Random& random, double size) {
  return {random.Uniform(-size, size), random.Uniform(-size, size), random.Uniform(-size, size)};
}

Capsule RandomCapsule(Random& random) {
  Capsule c{RandomPoint(random, 1), RandomPoint(random, 1), random.Uniform(0, 0.3)};
  if (random.Chance(0.1)) c.b = c.a;
  return c;
}

/// Nearest distance of two segments by golden-section search in both parameters: slow and
/// independent.
double BruteForceDistance(const Capsule& first, const Capsule& second) {
  const auto to_second = [&](double s) {
    const Vec3 p = first.a + s * (first.b - first.a);
    const Vec3 v = second.b - second.a;
    const double vv = Dot(v, v);
    const double t = vv > 0 ? std::min(1.0, std::max(0.0, Dot(p - second.a, v) / vv)) : 0.0;
    return Norm(p - (second.a + t * v));
  };
  double low = 0, high = 1;
  for (int i = 0; i < 200; ++i) {  // the distance to a convex set is convex along a segment
    const double left = low + (high - low) / 3, right = high - (high - low) / 3;
    if (to_second(left) < to_second(right))
      high = right;
    else
      low = left;
  }
  return to_second(0.5 * (low + high)) - first.radius - second.radius;
}

TEST(Capsules, DistanceAgreesWithASearch) {
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const Capsule first = RandomCapsule(random);
    Capsule second = RandomCapsule(random);
    if (random.Chance(0.1)) {  // parallel axes
      second.b = second.a + random.Uniform(-2, 2) * (first.b - first.a);
    }
    const double expected = BruteForceDistance(first, second);
    ASSERT_NEAR(CapsuleDistance(first, second), expected, 1e-7) << i;
    const Nearest nearest = NearestCapsules(first, second);
    ASSERT_NEAR(nearest.distance, expected, 1e-7);
    ASSERT_NEAR(Norm(nearest.on_second - nearest.on_first) - first.radius - second.radius,
                nearest.distance, 1e-12);
    ASSERT_NEAR(CapsuleDistance(second, first), nearest.distance, 1e-9);
  }
}

TEST(Capsules, CrossingAxesHaveNoDirection) {
  const Capsule x{{-1, 0, 0}, {1, 0, 0}, 0.1}, y{{0, -1, 0}, {0, 1, 0}, 0.2};
  const Nearest nearest = NearestCapsules(x, y);
  EXPECT_NEAR(nearest.distance, -0.3, 1e-12);
  EXPECT_EQ(nearest.direction, Vec3{});
}

TEST(Capsules, NanGivesNan) {
  const Capsule bad{{NAN, 0, 0}, {1, 0, 0}, 0.1}, good{{0, 0, 0}, {1, 1, 0}, 0.1};
  EXPECT_TRUE(std::isnan(CapsuleDistance(bad, good)));
}

TEST(Pose, InverseUndoes) {
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const Pose x{
        RollPitchYaw(random.Uniform(-3, 3), random.Uniform(-1.5, 1.5), random.Uniform(-3, 3)),
        RandomPoint(random, 2)};
    const Vec3 p = RandomPoint(random, 2);
    EXPECT_NEAR(Norm(Inverse(x) * (x * p) - p), 0, 1e-12);
    EXPECT_NEAR(Norm((Inverse(x) * x) * p - p), 0, 1e-12);
  }
}

TEST(Rotation, RollPitchYawIsZThenYThenX) {
  const Mat3 expected =
      AxisAngle({0, 0, 1}, 0.3) * AxisAngle({0, 1, 0}, -0.7) * AxisAngle({1, 0, 0}, 1.1);
  const Mat3 actual = RollPitchYaw(1.1, -0.7, 0.3);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(actual.m[i][j], expected.m[i][j], 1e-14);
}

TEST(Rotation, KeepsLengthsAndAngles) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const Mat3 r = AxisAngle(Normalized(RandomPoint(random, 1)), random.Uniform(-6, 6));
    const Vec3 a = RandomPoint(random, 1), b = RandomPoint(random, 1);
    EXPECT_NEAR(Dot(r * a, r * b), Dot(a, b), 1e-12);
    EXPECT_NEAR(Norm(Cross(r * a, r * b) - r * Cross(a, b)), 0, 1e-12);
  }
}

TEST(Rectangle, SignedDistanceOutsideInsideAndAtACorner) {
  const Rectangle r{-0.4, 0.6, 0.3};
  EXPECT_NEAR(SignedDistance(r, 1.0, 0), 0.4, 1e-15);
  EXPECT_NEAR(SignedDistance(r, 0, 0), -0.3, 1e-15);
  EXPECT_NEAR(SignedDistance(r, 0.6 + 0.3, 0.3 + 0.4), 0.5, 1e-15);
  EXPECT_NEAR(SignedDistance(r, -0.35, 0), -0.05, 1e-15);
}

TEST(WrapAngle, StaysInHalfOpenInterval) {
  const double pi = std::numbers::pi;
  EXPECT_DOUBLE_EQ(WrapAngle(3 * pi), pi);
  EXPECT_DOUBLE_EQ(WrapAngle(-pi), pi);
  EXPECT_NEAR(WrapAngle(7.0), 7.0 - 2 * pi, 1e-15);
}

}  // namespace
}  // namespace saferl::math
