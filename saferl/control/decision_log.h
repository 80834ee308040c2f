#pragma once
// The decision log: every Tick on disk, as an MCAP file that Foxglove opens and Replay runs again.
//
// One writer, one thread (not the real-time one: Decisions reach it through a Ring).
// Units: SI. RT: no. Errors: kInvalidArgument (malformed, with byte and message number),
// kUnavailable and friends
//   (disk), kDataLoss (ends in mid-record).
// Bytes: docs/formats/decision_log.md.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/decision_codec.h"
#include "saferl/control/mcap.h"
#include "saferl/control/tick.h"

namespace saferl::control {

inline constexpr char kDecisionTopic[] = "/saferl/decision";

/// What a log says about the models that made it.
struct DecisionLogInfo {
  std::string robot;          ///< name
  std::string robot_sha256;   ///< of the robot file
  std::string policy_sha256;  ///< of the policy package; empty = none
  int n = 0;
  int64_t period_ns = 0;
  int64_t wall_time_ns = 0;  ///< when the log began
  std::map<std::string, std::string>
      settings;  ///< every number of the TickModel, shortest exact form
};

/// Info of a model. `robot_file`: the file it was loaded from (hashed).
StatusOr<DecisionLogInfo> DescribeModel(const TickModel& model, const std::string& robot_file);

class DecisionLogWriter {
 public:
  static StatusOr<std::unique_ptr<DecisionLogWriter>> Create(const std::string& path,
                                                             const DecisionLogInfo& info,
                                                             const robot::RobotModel& robot);
  Status Write(const Decision& decision);
  Status Flush() { return mcap_->Flush(); }
  Status Close() { return mcap_->Close(); }
  uint64_t bytes() const { return mcap_->bytes(); }

 private:
  DecisionLogWriter() = default;
  Status WriteReadable(const Decision& decision);
  std::unique_ptr<McapWriter> mcap_;
  DecisionShape shape_;
  bool wheelchair_ = false;
  uint16_t decision_channel_ = 0, summary_channel_ = 0, pose_channel_ = 0;
  uint32_t sequence_ = 0;
  int64_t readable_ns_ = 0;
  bool any_readable_ = false;
  safety::Mode mode_ = safety::Mode::kNominal;
  std::string buffer_;
};

class DecisionLogReader {
 public:
  static StatusOr<std::unique_ptr<DecisionLogReader>> Open(const std::string& path,
                                                           const McapReadOptions& options = {});
  static StatusOr<std::unique_ptr<DecisionLogReader>> OpenBytes(
      std::string_view bytes, std::string_view name, const McapReadOptions& options = {});
  const DecisionLogInfo& info() const { return info_; }
  /// The next decision; false at the end.
  StatusOr<bool> Next(Decision* decision);
  bool truncated() const { return mcap_->truncated(); }

 private:
  DecisionLogReader() = default;
  Status ReadInfo();
  StatusOr<bool> NextMessage();
  std::unique_ptr<McapReader> mcap_;
  std::string name_;
  DecisionLogInfo info_;
  DecisionShape shape_;
  McapMessage message_;
  bool has_message_ = false;  ///< read while looking for the info, not yet handed out
  uint64_t count_ = 0;
};

}  // namespace saferl::control
