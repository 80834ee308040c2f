#include "saferl/sim/scene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/random.h"
#include "saferl/sim/crowd.h"

namespace saferl::sim {
namespace {

constexpr math::Rectangle kChair{-0.35, 0.65, 0.33};

TEST(Scene, EveryGoalCanBeReachedAndTheStartIsFree) {
  int rooms = 0, walks = 0, legs = 0, furniture = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Scene scene = MakeScene(seed);
    ASSERT_GE(scene.goals.size(), 1U);
    ASSERT_EQ(scene.fields.size(), scene.goals.size());
    for (size_t i = 0; i < scene.goals.size(); ++i) {
      EXPECT_TRUE(scene.fields[i].Reachable(scene.start.position())) << seed;
      EXPECT_EQ(
          FindContact(scene, {}, {-0.4, 0.4, 0.33}, {scene.goals[i].x, scene.goals[i].y, 0.3}).with,
          Contact::With::kNothing);
    }
    for (int k = 0; k < 16; ++k) {
      Pose2 pose = scene.start;
      pose.yaw += k * 0.4;
      EXPECT_EQ(FindContact(scene, {}, kChair, pose).with, Contact::With::kNothing) << seed;
    }
    for (const Walk& walk : scene.walks) {
      EXPECT_LE(walk.speed_m_s, 1.4);
      for (const Point p : walk.way) EXPECT_GE(scene.grid.DistanceAt(p), 0.2) << seed;
    }
    rooms += static_cast<int>(scene.doors.size());
    walks += static_cast<int>(scene.walks.size());
    for (const BoxKind kind : scene.kinds) {
      legs += kind == BoxKind::kLeg;
      furniture += kind == BoxKind::kFurniture;
    }
  }
  EXPECT_GT(rooms, 150);
  EXPECT_GT(walks, 150);
  EXPECT_GT(legs, 300);
  EXPECT_GT(furniture, 200);
}

TEST(Scene, WhoeverStandsAtAnEndOfAWalkLeavesAWay) {
  int closed = 0, walks = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    for (const bool passable : {false, true}) {
      const Scene scene = MakeScene(seed, {.min_pedestrians = 1, .passable_walks = passable});
      walks += static_cast<int>(passable ? scene.walks.size() : 0);
      for (const Walk& walk : scene.walks) {
        for (const Point end : {walk.way.front(), walk.way.back()}) {
          FloorGrid grid = scene.grid;
          for (size_t cell = 0; cell < grid.distance_m.size(); ++cell) {
            const double free = Norm(grid.Centre(static_cast<int>(cell)) - end) - 0.7;
            grid.distance_m[cell] = std::min(grid.distance_m[cell], static_cast<float>(free));
          }
          for (const Point goal : scene.goals) {
            const bool reachable = DistanceField(grid, goal).Reachable(scene.start.position());
            closed += !passable && !reachable;
            EXPECT_TRUE(!passable || reachable) << seed;
          }
        }
      }
    }
  }
  EXPECT_GT(walks, 50);
  EXPECT_GT(closed, 5);
}

TEST(Scene, DoorwaysAreAsWideAsAskedFor) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Scene scene = MakeScene(seed);
    for (const Point door : scene.doors) {
      double free = 10;
      for (const Box& box : scene.boxes) free = std::min(free, Distance(box, door));
      EXPECT_GE(free, 0.45 - 1e-9) << seed;
      EXPECT_LE(free, 0.50 + 1e-9) << seed;
    }
  }
}

TEST(Scene, LegsAreThinButNeverBelowFiveCentimetres) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Scene scene = MakeScene(seed);
    for (const Box& box : scene.boxes) EXPECT_GE(std::min(box.half_x, box.half_y), 0.025) << seed;
  }
}

TEST(Scene, TheSameSeedGivesTheSameBits) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Scene a = MakeScene(seed), b = MakeScene(seed), c = MakeScene(seed + 1000);
    ASSERT_EQ(a.boxes.size(), b.boxes.size());
    for (size_t i = 0; i < a.boxes.size(); ++i) {
      EXPECT_EQ(a.boxes[i].x, b.boxes[i].x);
      EXPECT_EQ(a.boxes[i].yaw, b.boxes[i].yaw);
    }
    EXPECT_EQ(a.start.yaw, b.start.yaw);
    EXPECT_EQ(a.goals, b.goals);
    EXPECT_EQ(a.true_goal, b.true_goal);
    EXPECT_EQ(a.walks.size(), b.walks.size());
    EXPECT_NE(a.start.yaw, c.start.yaw);
  }
}

TEST(Scene, FinishRefusesWhatCannotBe) {
  Scene scene;
  scene.x1 = 6;
  scene.y1 = 4;
  scene.start = {1, 2, 0};
  scene.goals = {{5, 2}};
  EXPECT_TRUE(FinishScene(0.38, &scene).ok());
  scene.boxes = {{3, 2, 0, 0.05, 2.0}};
  scene.kinds = {BoxKind::kWall};
  EXPECT_THAT(FinishScene(0.38, &scene).ToString(), testing::HasSubstr("goals[0]"));
  scene.boxes = {{3, 1.5, 0, 0.05, 1.5}};
  EXPECT_TRUE(FinishScene(0.38, &scene).ok());
  scene.walks = {Walk{.way = {{1, 1}}}};
  EXPECT_THAT(FinishScene(0.38, &scene).ToString(), testing::HasSubstr("walks[0]"));
  scene.walks.clear();
  scene.true_goal = 1;
  EXPECT_THAT(FinishScene(0.38, &scene).ToString(), testing::HasSubstr("true_goal"));
}

TEST(Scene, FreeDistanceIsZeroExactlyWhenTouching) {
  Random random(5);
  int touching = 0, free_count = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Scene scene = MakeScene(seed);
    const std::vector<Disc> people = {
        {{random.Uniform(0, scene.x1), random.Uniform(0, scene.y1)}, 0.25}};
    for (int i = 0; i < 100; ++i) {
      const Pose2 pose{random.Uniform(0, scene.x1), random.Uniform(0, scene.y1),
                       random.Uniform(-4, 4)};
      const bool touches = FindContact(scene, people, kChair, pose).with != Contact::With::kNothing;
      const double free = FreeDistance(scene, people, kChair, pose, 2.0);
      EXPECT_EQ(touches, free <= 0);
      (touches ? touching : free_count) += 1;
    }
  }
  EXPECT_GT(touching, 100);
  EXPECT_GT(free_count, 100);
}

TEST(DistanceField, FallsAlongItsOwnWayToZeroAtTheGoal) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Scene scene = MakeScene(seed);
    const DistanceField& field = scene.true_field();
    const std::vector<Point> way = field.Way(scene.grid, scene.start.position());
    ASSERT_GE(way.size(), 2U);
    double before = field.At(way.front()) + 0.2;
    for (const Point p : way) {
      EXPECT_LT(field.At(p), before + 0.15) << seed;
      EXPECT_GE(scene.grid.DistanceAt(p), scene.grid.clearance_m) << seed;
      before = field.At(p);
    }
    // Weighted metres: the goal lies between the centres of cells, which may count as near a wall.
    EXPECT_LT(field.At(field.goal()), 0.25);
    EXPECT_GE(field.At(scene.start.position()), Norm(scene.start.position() - field.goal()) - 0.1);
  }
}

TEST(DistanceField, AheadMovesTowardTheGoalAndKeepsClear) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Scene scene = MakeScene(seed);
    Point p = scene.start.position();
    for (int i = 0; i < 2000 && Norm(p - scene.true_field().goal()) > 0.1; ++i) {
      const Point ahead = scene.true_field().Ahead(scene.grid, p, 0.8);
      const Point d = ahead - p;
      if (Norm(d) > 1e-6) p = p + (0.02 / std::max(0.02, Norm(d))) * d;
      EXPECT_GE(scene.grid.DistanceAt(p), 0.30) << seed;
    }
    EXPECT_LT(Norm(p - scene.true_field().goal()), 0.15) << seed;
  }
}

class EveryManner : public testing::TestWithParam<Manners> {};

TEST_P(EveryManner, NobodyExceedsHisSpeedEntersAWallOrTheChair) {
  int moved = 0, turned = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Scene scene = MakeScene(seed);
    Crowd crowd(scene, GetParam());
    const Box body = Placed(kChair, {scene.goals[0].x, scene.goals[0].y, 0.5});
    std::vector<Point> before;
    for (const Disc& disc : crowd.people()) before.push_back(disc.p);
    std::vector<double> distance;
    for (const Disc& disc : crowd.people())
      distance.push_back(Distance(body, disc.p) - disc.radius);
    for (int step = 0; step < 1000; ++step) {
      crowd.Advance(0.05, body);
      for (size_t i = 0; i < before.size(); ++i) {
        const Disc& disc = crowd.people()[i];
        const double length = Norm(disc.p - before[i]);
        EXPECT_LE(length, scene.walks[i].speed_m_s * 0.05 + 1e-9);
        EXPECT_GE(scene.grid.DistanceAt(disc.p), GetParam() == Manners::kBlind ? 0.2 : 0.0);
        const double gap = Distance(body, disc.p) - disc.radius;
        EXPECT_GE(gap, std::min(0.0, distance[i]) - 1e-9);
        distance[i] = gap;
        moved += length > 0;
        turned += length == 0;
        before[i] = disc.p;
      }
    }
  }
  EXPECT_GT(moved, 1000);
  EXPECT_GT(turned, 100);
}

INSTANTIATE_TEST_SUITE_P(Crowd, EveryManner, testing::Values(Manners::kBlind, Manners::kLooking),
                         [](const auto& one) {
                           return one.param == Manners::kBlind ? "blind" : "looking";
                         });

/// A corridor 8 m long and `width_m` wide, walked along the middle.
Scene Corridor(double width_m) {
  Scene scene;
  scene.x1 = 8;
  scene.y1 = 5;
  scene.start = {4, 2.5, 0};
  scene.goals = {{7.5, 2.5}};
  const double half = 0.5 * (2.5 - 0.5 * width_m);
  scene.boxes = {{4, half, 0, 4, half}, {4, 5 - half, 0, 4, half}};
  scene.kinds = {BoxKind::kWall, BoxKind::kWall};
  scene.walks = {Walk{.way = {{0.5, 2.5}, {7.0, 2.5}}, .radius_m = 0.25, .pause_s = 20}};
  EXPECT_TRUE(FinishScene(0.38, &scene).ok());
  return scene;
}

struct Passage {
  double farthest_x = 0, least_gap_m = 10, last_x = 0;
};
Passage Walked(const Scene& scene, Manners manners, double time_s) {
  Crowd crowd(scene, manners);
  const Box body = Placed(kChair, scene.start);
  Passage passage;
  for (double t = 0; t < time_s; t += 0.02) {
    crowd.Advance(0.02, body);
    const Disc& disc = crowd.people()[0];
    passage.farthest_x = std::max(passage.farthest_x, disc.p.x);
    passage.least_gap_m = std::min(passage.least_gap_m, Distance(body, disc.p) - disc.radius);
    passage.last_x = disc.p.x;
  }
  return passage;
}

TEST(Crowd, WhoeverLooksGoesRoundAChairAndKeepsHisDistance) {
  const Scene wide = Corridor(4.5);
  const Passage looking = Walked(wide, Manners::kLooking, 15);
  EXPECT_NEAR(looking.farthest_x, 7.0, 1e-6);
  EXPECT_GE(looking.least_gap_m, 0.4 - 1e-9);
  const Passage blind = Walked(wide, Manners::kBlind, 15);
  EXPECT_LT(blind.farthest_x, 4.0);
  EXPECT_LT(blind.least_gap_m, 0.05);
}

TEST(Crowd, WhoeverFindsNoWayPastTurnsRound) {
  const Passage looking = Walked(Corridor(1.2), Manners::kLooking, 12);
  EXPECT_LT(looking.farthest_x, 4.0);
  EXPECT_GE(looking.least_gap_m, 0.4 - 1e-9);
  EXPECT_NEAR(looking.last_x, 0.5, 1e-6);
}

}  // namespace
}  // namespace saferl::sim
