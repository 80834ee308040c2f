#include "saferl/learn/cpo.h"

#include "gtest/gtest.h"

namespace saferl::learn {
namespace {

TEST(CpoTightened, GrowsWithALastingExcessUpToTheLimitAndFallsBack) {
  double tightened = 0;
  for (int i = 0; i < 5; ++i) tightened = Tightened(tightened, 0.1, 3.0, 2.0);
  EXPECT_NEAR(tightened, 0.5, 1e-12);
  for (int i = 0; i < 100; ++i) tightened = Tightened(tightened, 0.1, 3.0, 2.0);
  EXPECT_EQ(tightened, 2.0);  // aims at no cost at all, not below
  for (int i = 0; i < 10; ++i) tightened = Tightened(tightened, 0.1, 1.0, 2.0);
  EXPECT_NEAR(tightened, 1.0, 1e-12);
  for (int i = 0; i < 100; ++i) tightened = Tightened(tightened, 0.1, 1.0, 2.0);
  EXPECT_EQ(tightened, 0.0);
  EXPECT_EQ(Tightened(0, 0.1, 5.0, 0.0), 0.0);  // a limit of 0 cannot be tightened
}

}  // namespace
}  // namespace saferl::learn
