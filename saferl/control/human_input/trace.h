#pragma once
// A recorded person: a CSV file of commands over time, played back as HumanInput.
//
//   t_s,u0,u1,stop
//   0.00,0,0,0
//   0.02,0.35,0.1,0
//
// Between two lines the earlier one holds; on a silent line, and half a second after the last one,
// the input grows stale, as a person's who left. PersonOf (replay.h) takes one out of a log.
// Bytes: docs/formats/human_trace.md.
// Units: s, the robot's command unit. RT: At yes (binary search); all else no. Errors:
// kInvalidArgument "file:line: problem; next step"; at most 10 million lines.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/proposal.h"

namespace saferl::control {

class HumanTrace {
 public:
  /// `n`: command components that the file must have.
  static StatusOr<HumanTrace> Load(const std::string& path, int n);
  static StatusOr<HumanTrace> Parse(std::string_view text, std::string_view name, int n);
  /// An empty one, to be filled by Add.
  explicit HumanTrace(int n) : n_(n) {}

  /// What the person said `time_ns` after the beginning. A line is kept where something changed.
  /// Precondition: time_ns is at least 0 and grows.
  void Add(int64_t time_ns, const HumanInput& input);
  /// As a file: Parse gives the same lines again, bit for bit in u.
  std::string Text() const;

  /// The person at `now_ns`, for a trace that began at `start_ns`. Before the first line: no
  /// command.
  HumanInput At(int64_t now_ns, int64_t start_ns) const;
  size_t size() const { return lines_.size(); }
  double duration_s() const;

 private:
  struct Line {
    int64_t time_ns = 0;
    int64_t silent_since_ns = -1;  ///< -1: the device sends
    HumanInput input;
  };
  int n_ = 0;
  int64_t last_stamp_ns_ = -1, end_ns_ = -1;  ///< of Add
  std::vector<Line> lines_;
};

}  // namespace saferl::control
