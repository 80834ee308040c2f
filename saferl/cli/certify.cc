#include "saferl/safety/certifier/certifier.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/control/decision_log.h"

namespace saferl::cli {
namespace {

struct Tally {
  int64_t ticks = 0, valid = 0, invalid = 0;
  std::array<int64_t, 4> rule{};   ///< per safety::CertificateRule
  double worst_margin = INFINITY;  ///< of fresh certificates
  uint64_t first_invalid = 0;
  std::string why;
};

/// The file that the log was made with: found by name, proved by its digest.
StatusOr<std::string> RobotFileOf(const control::DecisionLogInfo& info, const Args& args) {
  const std::string name = args.has("--robot") ? args.text("--robot") : info.robot;
  SAFERL_ASSIGN_OR_RETURN(std::string file, FindNamed(name, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  if (Sha256Hex(text) != info.robot_sha256) {
    return absl::InvalidArgumentError(
        Cat(file, ": is not the robot file that the log was made with (sha256 ", info.robot_sha256,
            "); give that file with --robot"));
  }
  return file;
}

StatusOr<Tally> CertifyLog(const safety::CertifierModel& certifier,
                           control::DecisionLogReader* reader) {
  Tally tally;
  const auto decision = std::make_unique<control::Decision>();
  safety::CertifierData data;
  robot::Joints previous{};
  while (true) {
    SAFERL_ASSIGN_OR_RETURN(const bool more, reader->Next(decision.get()));
    if (!more) return tally;
    const safety::TickRecord record{.now_ns = decision->input.now_ns,
                                    .observation = &decision->input.observation,
                                    .previous = previous,
                                    .command = decision->command.u};
    const safety::Certificate certificate = safety::CertifyTick(certifier, record, &data);
    previous = decision->command.u;
    ++tally.ticks;
    ++(certificate.valid ? tally.valid : tally.invalid);
    ++tally.rule[static_cast<size_t>(certificate.rule)];
    if (certificate.rule == safety::CertificateRule::kFresh) {
      tally.worst_margin = std::min(tally.worst_margin, certificate.margin);
    }
    if (!certificate.valid && tally.why.empty()) {
      tally.first_invalid = decision->input.sequence;
      tally.why = certificate.why;
    }
  }
}

StatusOr<ExitCode> RunCertify(const Args& args, Console& console) {
  const std::string& path = args.text("LOG");
  SAFERL_ASSIGN_OR_RETURN(
      const auto reader,
      control::DecisionLogReader::Open(path, {.accept_truncated = args.flag("--truncated")}));
  SAFERL_ASSIGN_OR_RETURN(const std::string file, RobotFileOf(reader->info(), args));
  SAFERL_ASSIGN_OR_RETURN(const auto certifier, safety::LoadCertifier(file));
  SAFERL_ASSIGN_OR_RETURN(const Tally tally, CertifyLog(*certifier, reader.get()));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject()
        .Field("ticks", tally.ticks)
        .Field("valid", tally.valid)
        .Field("invalid", tally.invalid);
    w.Field("fresh", tally.rule[1]).Field("plan", tally.rule[2]).Field("standstill", tally.rule[3]);
    w.Field("worst_margin", tally.worst_margin);
    if (tally.invalid > 0) w.Field("first_invalid", tally.first_invalid).Field("why", tally.why);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(path, ": ", tally.valid, " of ", tally.ticks, " ticks certified (",
                    tally.rule[1], " fresh, ", tally.rule[2], " by plan, ", tally.rule[3],
                    " at rest)\n"));
    if (tally.invalid > 0) {
      console.Out(Cat(tally.invalid, " ticks are not; the first is tick ", tally.first_invalid,
                      ": ", tally.why, "\n"));
    }
  }
  return tally.invalid == 0 ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb CertifyVerb() {
  return {.path = {"certify"},
          .summary =
              "check every recorded tick from its raw observation, with code that the filter does "
              "not use",
          .description = "Exit code 1 when any tick is not certified.",
          .args = {{.name = "LOG", .doc = "a decision log (.mcap)", .required = true},
                   {.name = "--robot",
                    .doc = "robot file, when it is not in data/robots",
                    .value_name = "ROBOT"},
                   {.name = "--truncated",
                    .doc = "accept a log that ends in mid-record",
                    .kind = ArgKind::kFlag}},
          .examples = {"saferl certify out/drive.mcap"},
          .run = RunCertify};
}

}  // namespace saferl::cli
