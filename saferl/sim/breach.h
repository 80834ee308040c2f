#pragma once
// BreachJudge: which measurements of people contradict what is assumed of them, by code that the
// Tick does not use, and how soon the Tick stopped.
//
// Breach: two measurements of one part within the last second are farther apart than
// 2 epsilon + v_h dt: no motion within v_h and no error within epsilon explains both. The judge
// keeps every measurement; a motion that is faster but hides behind 2 epsilon shows nothing, to
// anybody (docs/safety.md, A-1 and A-2). Ticks in a row that show a breach are one breach.
//
// Units: SI, ns. Errors: none. RT: no (allocates; cost grows with the measurements per second).

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <utility>

#include "saferl/robot/types.h"

namespace saferl::sim {

struct BreachBounds {
  double body_speed_m_s = 1.6, reach_speed_m_s = 2.0;  ///< v_h
  double error_m = 0;                                  ///< epsilon
};

struct BreachCount {
  int64_t breaches = 0;
  int64_t answered = 0;           ///< stopped in the tick that shows it or in the next one
  int64_t delay_ticks_sum = 0;    ///< ticks that passed without a stop, over all breaches
  int64_t worst_delay_ticks = 0;  ///< 0: stopped in the same tick
  double MeanDelayTicks() const {
    return breaches > 0 ? static_cast<double>(delay_ticks_sum) / static_cast<double>(breaches) : 0;
  }
};

class BreachJudge {
 public:
  explicit BreachJudge(const BreachBounds& bounds) : bounds_(bounds) {}
  /// One tick: what was measured, and whether the command that left was a protective stop.
  void Tick(std::span<const robot::HumanPart> measured, bool stopped);
  /// Everything so far; a breach that still waits for its stop counts as unanswered.
  BreachCount Count() const;

 private:
  struct Sample {
    int64_t stamp_ns = 0;
    math::Vec3 a_W, b_W;
  };
  bool Shown(const robot::HumanPart& part);
  static void Add(int64_t delay_ticks, bool answered, BreachCount* count);

  BreachBounds bounds_;
  std::map<std::pair<uint8_t, uint16_t>, std::deque<Sample>> past_;  ///< oldest first
  bool open_ = false, stopped_ = false;  ///< a breach is shown or waits; its stop has come
  int64_t waited_ticks_ = 0, delay_ticks_ = 0;
  BreachCount count_;
};

}  // namespace saferl::sim
