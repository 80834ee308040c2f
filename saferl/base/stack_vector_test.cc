#include "saferl/base/stack_vector.h"

#include <gtest/gtest.h>

#include <span>

namespace saferl {
namespace {

struct Point {
  double x = 1, y = 2;
};

TEST(StackVector, HoldsWhatWasPushedInOrder) {
  StackVector<Point, 3> points;
  EXPECT_TRUE(points.empty());
  points.push_back({}).y = 5;
  points.push_back({7, 8});
  ASSERT_EQ(points.size(), 2U);
  EXPECT_FALSE(points.full());
  EXPECT_EQ(points[0].x, 1);
  EXPECT_EQ(points[0].y, 5);
  EXPECT_EQ(points[1].x, 7);
  points.push_back({9, 9});
  EXPECT_TRUE(points.full());
  double sum = 0;
  for (const Point& p : points) sum += p.x;
  EXPECT_EQ(sum, 17);
  const std::span<const Point> view = points;
  EXPECT_EQ(view.size(), 3U);
  EXPECT_EQ(view[2].y, 9);
  points.clear();
  EXPECT_TRUE(points.empty());
}

}  // namespace
}  // namespace saferl
