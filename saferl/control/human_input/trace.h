#pragma once
// A recorded person: a CSV file of commands over time, played back as HumanInput.
//
//   t_s,u0,u1[,stop,acknowledge,enabled]     one header line, then numbers; time strictly grows
//   from >= 0 0.00,0,0 0.02,0.35,0.1
// Between two lines the earlier one holds; after the last line the input grows stale, as a person's
// who left. Units: s, the robot's command unit. RT: At yes (binary search); Load no. Errors:
// kInvalidArgument "file:line: problem; next step"; at most 10 million lines.

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

  /// The person at `now_ns`, for a trace that began at `start_ns`. Before the first line: no
  /// command.
  HumanInput At(int64_t now_ns, int64_t start_ns) const;
  size_t size() const { return lines_.size(); }
  double duration_s() const;

 private:
  struct Line {
    int64_t time_ns = 0;
    HumanInput input;
  };
  std::vector<Line> lines_;
};

}  // namespace saferl::control
