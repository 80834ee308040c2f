#include "saferl/sim/plane.h"

#include <gtest/gtest.h>

#include <numbers>

#include "saferl/base/random.h"

namespace saferl::sim {
namespace {

Box RandomBox(Random* random) {
  return {random->Uniform(-2, 2), random->Uniform(-2, 2), random->Uniform(-4, 4),
          random->Uniform(0.02, 1.0), random->Uniform(0.02, 1.0)};
}

/// Distance by sampling both outlines: an upper bound within the sampling step.
double SampledDistance(const Box& a, const Box& b) {
  double nearest = 1e9;
  const auto ca = Corners(a);
  for (size_t k = 0; k < 4; ++k) {
    for (int i = 0; i <= 100; ++i) {
      const Point p = ca[k] + (i / 100.0) * (ca[(k + 1) % 4] - ca[k]);
      nearest = std::min(nearest, Distance(b, p));
    }
  }
  const auto cb = Corners(b);
  for (size_t k = 0; k < 4; ++k) {
    for (int i = 0; i <= 100; ++i) {
      const Point p = cb[k] + (i / 100.0) * (cb[(k + 1) % 4] - cb[k]);
      nearest = std::min(nearest, Distance(a, p));
    }
  }
  return nearest;
}

TEST(Plane, BoxDistanceAgreesWithSampledOutlines) {
  Random random(1);
  int touching = 0;
  for (int i = 0; i < 3000; ++i) {
    const Box a = RandomBox(&random), b = RandomBox(&random);
    const double sampled = SampledDistance(a, b), exact = Distance(a, b);
    if (sampled < 0) {
      EXPECT_TRUE(Touches(a, b));
      ++touching;
    }
    if (sampled > 0.021) {
      EXPECT_FALSE(Touches(a, b));
      EXPECT_LE(exact, sampled + 1e-9);
      EXPECT_GE(exact, sampled - 0.021);
    }
    EXPECT_EQ(Touches(a, b), Touches(b, a));
  }
  EXPECT_GT(touching, 300);
}

TEST(Plane, WorldAndBodyFramesAreInverse) {
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const Pose2 pose{random.Uniform(-5, 5), random.Uniform(-5, 5), random.Uniform(-7, 7)};
    const Point p{random.Uniform(-5, 5), random.Uniform(-5, 5)};
    const Point q = ToBody(pose, ToWorld(pose, p));
    EXPECT_NEAR(q.x, p.x, 1e-12);
    EXPECT_NEAR(q.y, p.y, 1e-12);
  }
}

TEST(Plane, DiscTouchesFromEverySideAtItsRadius) {
  const Box box{1.0, 2.0, 0.7, 0.5, 0.25};
  for (int i = 0; i < 64; ++i) {
    const double angle = i * std::numbers::pi / 32;
    for (double r = 0; r < 2; r += 0.01) {
      const Point p{box.x + r * std::cos(angle), box.y + r * std::sin(angle)};
      EXPECT_EQ(Touches(box, Disc{p, 0.3}), Distance(box, p) <= 0.3);
    }
  }
}

TEST(Plane, NotANumberTouches) {
  const double nan = std::nan("");
  EXPECT_TRUE(Touches(Box{nan, 0, 0, 1, 1}, Box{9, 9, 0, 1, 1}));
  EXPECT_TRUE(Touches(Box{0, 0, 0, 1, 1}, Disc{{nan, 0}, 0.1}));
}

}  // namespace
}  // namespace saferl::sim
