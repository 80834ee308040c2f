#pragma once
// The certifier: checks, tick by tick, that the command that left was safe, from the raw
// Observation. It shares nothing with the filter but the robot's data file: own reading of the
// file, own kinematics, own geometry, own account of ages and of how far people get, by dense
// sampling instead of the filter's few stretches.
//
// A tick is valid by one of three rules:
//   fresh       braking from this command stays inside every promise until rest, against everything
//   people can do plan        the tick before was valid and this command is the next step of that
//   braking, or a harder one standstill  the robot rests and was told to
// `margin` is the least distance to a broken promise, in the promise's own unit; +inf where nothing
// moves.
//
// It is also the prover's and the log's judge (sim/prove.h, control's decision log through
// sim/certify_log.h). Units: SI. Frames: W. RT: no allocation after Load, but dense: about 0.1 to 1
// ms a tick. Errors: LoadCertifier names file, line and field. CertifyTick is total: NaN anywhere
// is not valid. Source: DESIGN section 6; ISO/TS 15066 5.5.4; derivations beside each robot's
// check.

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/robot/types.h"

namespace saferl::safety {

enum class CertificateRule : uint8_t { kNone, kFresh, kPlan, kStandstill };

struct Certificate {
  bool valid = false;
  double margin = 0;  ///< of the command's own manoeuvre
  CertificateRule rule = CertificateRule::kNone;
  const char* why = "";  ///< the promise that decided, in words
};

/// One tick as recorded. `previous` is the command that had left before.
struct TickRecord {
  int64_t now_ns = 0;
  const robot::Observation* observation = nullptr;
  robot::Joints previous{};
  robot::Joints command{};
};

/// What the certifier remembers of a run. Zero = first tick of a run that starts at rest.
struct CertifierData {
  static constexpr int kRemembered = 16;
  bool chain_valid = false;                       ///< the tick before was valid
  int n_sent = 0;                                 ///< commands before `previous`
  std::array<robot::Joints, kRemembered> sent{};  ///< newest first
  std::array<int64_t, kRemembered> sent_ns{};
};

/// One robot's promises as its file states them. One subclass per robot, in the .cc files beside
/// this one.
class CertifierModel {
 public:
  virtual ~CertifierModel() = default;
  /// Least margin of braking from the command; `why` names the promise that it belongs to.
  virtual double Fresh(const TickRecord& record, const CertifierData& data,
                       const char** why) const = 0;
  /// True when `record.command` is rated braking after `record.previous`, or harder.
  virtual bool IsBraking(const TickRecord& record) const = 0;
  /// True when nothing moves and nothing is told to.
  virtual bool IsStandstill(const TickRecord& record, const CertifierData& data) const = 0;
};

/// Reads data/robots/<name>.yaml or a path to such a file.
StatusOr<std::shared_ptr<const CertifierModel>> LoadCertifier(const std::string& name_or_path);

/// Checks one tick and remembers it. Call for every tick of a run, in order.
Certificate CertifyTick(const CertifierModel& model, const TickRecord& record, CertifierData* data);

}  // namespace saferl::safety
