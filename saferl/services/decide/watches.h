#pragma once
// Monitors elsewhere that watch network sessions: WebSocket GET /monitor/stream?robot=R.
//
// To the monitor: one text {"id","robot","session","epoch","serial","n","pose","period_ns"} before
// the first decision of each session, then each decision in binary: its serial (u64, little endian,
// one more each, over sessions) and the record of docs/formats/decision_log.md.
// From the monitor, text: {"grant":SERIAL}, {"stop":true}, {"clear":true}.
//   grant   the robot may move until lease_s after decision SERIAL was made, by this machine's
//           clock: a word that was delayed on its way gives nothing
//   stop    every further tick is asked to stop; stays when the connection is gone
//   clear   takes the stop back (the person at the robot still acknowledges)
// A robot that was granted once, or every robot where `required`, moves only while a grant holds: a
// monitor or connection that is gone is a controlled stop within lease_s. One monitor a robot;
// another takes over once the first has had no grant for lease_s.
// Nothing here waits: a monitor that does not read loses its connection. Safe from any thread.

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "saferl/net/router.h"
#include "saferl/services/decide/sessions.h"

namespace saferl::services {

struct WatchOptions {
  bool required = false;  ///< no robot moves without a monitor
  double lease_s = 0.5;
};

class Watches {
 public:
  explicit Watches(const WatchOptions& options);
  void AddRoute(net::Router* router);
  /// Before a tick: what the monitor's word makes of its input.
  void Apply(const std::string& robot, control::TickInput* input);
  /// After a tick.
  void Tell(const Decided& decided);
  /// A message of the monitor that holds `robot` by `stream`. Errors: kInvalidArgument.
  Status Hear(const std::string& robot, const net::Stream* stream, std::string_view message);
  void Add(const std::string& robot, std::shared_ptr<net::Stream> stream);

 private:
  struct Made {
    uint64_t serial;
    int64_t at_ns;
  };
  struct Watch {
    std::mutex mutex;
    std::shared_ptr<net::Stream> stream;
    std::string told;  ///< the session that the stream knows
    uint64_t serial = 0;
    std::deque<Made> made;  ///< no older than lease_s, newest last
    int64_t word_ns = 0;    ///< when the stream came, or last granted
    int64_t lease_until_ns = 0;
    bool granted = false, stop = false;
    std::string buffer;
  };
  std::shared_ptr<Watch> Find(const std::string& robot) const;

  const WatchOptions options_;
  const std::string epoch_;  ///< of this process: serials of another say nothing
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Watch>, std::less<>> watches_;
};

}  // namespace saferl::services
