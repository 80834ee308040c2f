#pragma once
// Sensors: the Observation that a tick gets, made from the truth with errors inside the stated
// bounds.
//
// Every error is 0.7 of its bound times a slow wander plus 0.3 times a fresh draw, uniform: what
// localisation and trackers do, and never beyond the bound. People are reported one period old,
// with their stamp. Units: SI. Frames: W. Errors: none. RT: no. Deterministic for a seed.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/safety/filter.h"
#include "saferl/sim/setting.h"

namespace saferl::sim {

class Sensors {
 public:
  Sensors(std::shared_ptr<const safety::SafetyModel> model, uint64_t seed);

  /// What is measured at `truth.stamp_ns`. `observation` keeps nothing of what was there before.
  void Measure(const robot::RobotState& truth, const Setting& setting,
               const robot::Joints& interaction, robot::Observation* observation);

 private:
  /// A slow wander in [-1, 1].
  struct Wander {
    double value = 0, target = 0;
    int left = 0;
    double Next(Random* random);
  };
  double Draw(Wander* wander);

  std::shared_ptr<const safety::SafetyModel> model_;
  Random random_;
  uint64_t sequence_ = 0;
  std::array<Wander, robot::kMaxDof> q_{}, qd_{};
  std::array<std::array<Wander, 3>, robot::kMaxParts> part_{};
  std::array<Wander, 8> lidar_{};
  std::vector<robot::HumanPart>
      before_;  ///< people of the last measurement, for reports of some age
  int64_t before_ns_ = 0;
};

}  // namespace saferl::sim
