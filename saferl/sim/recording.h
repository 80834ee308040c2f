#pragma once
// Recordings of real people, from CSV: walking crowds (one row per person and time) and skeletons
// (one row per time, 17 joints). Strict: every error names file, line and column.
//
//   tracks:    t_s,who|person,x_m,y_m          times of one person strictly increasing; who = v...:
//   a vehicle, left out skeleton:  t_s,<joint>_x_m,<joint>_y_m,<joint>_z_m,...   the 17 joints of
//   robot/human.h in their order
// Between samples people are interpolated linearly, so the speed between samples is the recorded
// one; the fastest is max_speed_m_s. A person who is not in view at a time is not there. Playing
// repeats from the start after the end, forward and backward in turns, so that nobody ever jumps.
// Units: s, m. Frames: tracks: the recording's floor; skeleton: pelvis starts near the origin, z
// up. Bytes: docs/formats/recording_csv.md. RT: no.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/robot/human.h"
#include "saferl/sim/plane.h"

namespace saferl::sim {

struct Track {
  std::string who;
  std::vector<double> t_s;
  std::vector<Point> p_m;  ///< (t_s)
};

struct Recording {
  std::string name;
  bool skeleton = false;
  std::vector<Track> tracks;          ///< of walking people
  std::vector<double> t_s;            ///< of the skeleton
  std::vector<robot::Skeleton> pose;  ///< (t_s)
  double end_s = 0;                   ///< last time
  double max_speed_m_s = 0;           ///< fastest between two samples, of any person or joint
  double max_reach_m_s = 0;           ///< of elbows and wrists (skeleton)

  /// Where track i is at time t; false when that person is not in view.
  bool At(size_t i, double t_s, Point* p) const;
  /// Where track i is after playing for `played_s`. Before they come into view people have come
  /// straight at the speed of the first samples (0.7 m/s at least; played backward: of the last
  /// ones), so that nobody appears out of nothing beside a robot. False for a person who is not
  /// there: has left, or has no way to come along.
  bool Passing(size_t i, double played_s, Point* p) const;
  /// The skeleton at time t.
  robot::Skeleton PoseAt(double t_s) const;
  /// Time in the recording after playing for `played_s`: to the end, back to the start, and so on.
  double Played(double played_s) const;
  bool PlaysForward(double played_s) const;
};

StatusOr<Recording> ParseRecording(std::string_view text, std::string_view name);
StatusOr<Recording> LoadRecording(const std::string& path);

/// The recordings in a folder whose names begin with `prefix`, sorted. Empty folder name:
/// $SAFERL_PEOPLE; when that is not set either, the list is empty.
std::vector<std::string> FindRecordings(const std::string& folder, std::string_view prefix);

}  // namespace saferl::sim
