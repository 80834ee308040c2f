#pragma once
// One robot's proving ground: the true world of a slot, its opponents, its sensors and the check of
// truth. prove.cc drives it; one file per robot implements it.
//
// Units: SI. RT: no. Errors: none after creation.

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "saferl/base/random.h"
#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"
#include "saferl/safety/certifier/models.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/gate.h"

namespace saferl::sim {

/// What one tick did in truth.
struct TickTruth {
  const char* violation = nullptr;  ///< in words; null = none
  safety::ConstraintId id = safety::ConstraintId::kSeparation;
  double depth = 0;    ///< by how much
  bool moved = false;  ///< the robot moved at some moment of the tick
};

class Arena {
 public:
  virtual ~Arena() = default;
  /// A new world, robot at rest and free.
  virtual void Reset(int64_t now_ns, Random* random) = 0;
  /// What the sensors say at the start of a tick.
  virtual void Observe(int64_t now_ns, uint64_t sequence, Random* random,
                       robot::Observation* observation) = 0;
  /// What the worst driver asks for.
  virtual robot::Joints Wish(Random* random) = 0;
  /// The command leaves; the arena picks its delay.
  virtual void Act(const safety::Command& command, Random* random) = 0;
  /// Time passes until the next tick.
  virtual TickTruth Advance(Random* random) = 0;

  /// The command that counts as sent before the first tick of a world.
  virtual robot::Joints StartCommand() const { return {}; }
  /// Least true margins since ForgetMargins(), per promise.
  const std::array<double, safety::kNumConstraints>& true_margin() const { return true_margin_; }
  void ForgetMargins();

 protected:
  Arena();
  void Note(safety::ConstraintId id, double margin) {
    double& least = true_margin_[static_cast<size_t>(id)];
    if (margin < least) least = margin;
  }
  std::array<double, safety::kNumConstraints> true_margin_{};
};

/// How freely the hostile freedoms are used in one slot.
enum class Habit : uint8_t { kLeast, kMost, kAny, kFlip, kCount };
/// A share in [0, 1] by habit; kFlip alternates between the ends at random.
double Share(Habit habit, Random* random);

/// True when `next` may follow `previous`: within the rate, or toward rated braking, component by
/// component.
bool StepAllowed(const robot::RobotModel& robot, const robot::Joints& previous,
                 const robot::Joints& next);

/// The arena of a robot kind. `truth` is the nominal model: mutants never reach it.
StatusOr<std::unique_ptr<Arena>> MakeWheelchairArena(
    std::shared_ptr<const safety::SafetyModel> truth, const safety::certifier::RobotData& data);
StatusOr<std::unique_ptr<Arena>> MakeArmArena(std::shared_ptr<const safety::SafetyModel> truth,
                                              const safety::certifier::RobotData& data);
StatusOr<std::unique_ptr<Arena>> MakeExoskeletonArena(
    std::shared_ptr<const safety::SafetyModel> truth, const safety::certifier::RobotData& data);

}  // namespace saferl::sim
