#pragma once
// Speed and separation monitoring: the protective separation distance of ISO/TS 15066, and its
// proof along a sweep.
//
//   S_p = S_h + S_r + S_s + C + Z_d + Z_r
//   S_h = v_h (T_r + T_s)    what a person can come nearer until the robot rests
//   S_r = v_r T_r            what the robot does until braking acts
//   S_s = v_r T_s / 2        what it does while braking evenly to rest
//
// The proof (MakeSeparation) does not use S_p: every place that the robot can pass until rest, its
// own uncertainty included (S_r + S_s + Z_r), must stay clear of every measured part grown by C +
// Z_d + v_h * (age + stop time) (S_h + C + Z_d). Growing by the whole stop time at every place is
// monotone: a robot that brakes earlier or harder than rated passes fewer of the places, and each
// of them before the stop time. In one dimension both say the same
// (Separation.ProofIsEquivalentToSpInOneDimension).
//
// Units: SI. RT: yes. Total: NaN in, NaN out.
// Source: ISO/TS 15066:2016 5.5.4.2.3 (now ISO 10218-2:2025 Annex L; quoted from secondary
// sources), ISO 13855 (v_h).

namespace saferl::safety {

/// Everything that S_p is made of.
struct SeparationInput {
  double human_speed_m_s = 0;  ///< v_h
  double robot_speed_m_s = 0;  ///< v_r, toward the person
  double reaction_s = 0;       ///< T_r: detection, decision, transport
  double stopping_s = 0;       ///< T_s: from braking acting to rest
  double intrusion_m = 0;      ///< C
  double human_error_m = 0;    ///< Z_d
  double robot_error_m = 0;    ///< Z_r
};

constexpr double ProtectiveSeparation_m(const SeparationInput& in) {
  const double human = in.human_speed_m_s * (in.reaction_s + in.stopping_s);
  const double reaction = in.robot_speed_m_s * in.reaction_s;
  const double stopping = 0.5 * in.robot_speed_m_s * in.stopping_s;
  return human + reaction + stopping + in.intrusion_m + in.human_error_m + in.robot_error_m;
}

}  // namespace saferl::safety
