// monitor verify: is the journal whole.
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/services/monitor/journal_format.h"

namespace saferl::cli {
namespace {

using services::JournalReport;

/// --expect SEQUENCE:HASH, noted elsewhere at an earlier time, must still stand.
Status CheckExpected(const std::string& expected, const std::string& found_hash) {
  if (found_hash == expected.substr(expected.find(':') + 1)) return absl::OkStatus();
  return absl::DataLossError(Cat("--expect: entry ", expected.substr(0, expected.find(':')),
                                 found_hash.empty()
                                     ? " is not there: the end was removed"
                                     : " has another hash: the journal was rewritten"));
}

StatusOr<ExitCode> RunVerify(const Args& args, Console& console) {
  const std::string& expected = args.text("--expect");
  if (!expected.empty() && expected.find(':') == std::string::npos)
    return absl::InvalidArgumentError(
        Cat("--expect: '", expected, "' is not SEQUENCE:HASH; copy it from /status"));
  const std::string wanted = expected.substr(0, expected.find(':'));
  std::string found_hash;
  JournalReport report =
      services::ReadJournal(args.text("FOLDER"), [&](const services::JournalEntry& entry) {
        if (!expected.empty() && Cat(entry.sequence) == wanted) found_hash = entry.hash;
      });
  if (report.problem.ok() && !expected.empty())
    report.problem = CheckExpected(expected, found_hash);
  const bool whole = report.problem.ok();
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("whole", whole).Field("files", report.files);
    w.Field("first", report.first).Field("last", report.last).Field("hash", report.hash);
    w.Field("torn_bytes", report.torn_bytes);
    if (!whole) w.Field("problem", std::string(report.problem.message()));
    console.Out(w.EndObject().Take() + "\n");
  } else if (whole) {
    console.Out(Cat("whole: entries ", report.first, " to ", report.last, " in ", report.files,
                    " files, last hash ", report.hash, "\n"));
  } else {
    console.Out(Cat("NOT WHOLE: ", report.problem.message(), "\n"));
  }
  if (report.torn_bytes > 0 && !console.json())
    console.Out(Cat(report.torn_file, ": ends in the middle of an entry (", report.torn_bytes,
                    " bytes) that was never acknowledged\n"));
  return whole ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb MonitorVerifyVerb() {
  return {.path = {"monitor", "verify"},
          .summary = "is a safety monitor's journal whole: nothing changed, missing or moved",
          .description =
              "Exit code 1 when it is not; the first problem is named. An end that was removed "
              "together with the file `head` shows only against --expect, a sequence and hash that "
              "were noted elsewhere (GET /status tells them).",
          .args = {{.name = "FOLDER", .doc = "the journal's folder", .required = true},
                   {.name = "--expect",
                    .doc = "an entry that must be there",
                    .value_name = "SEQUENCE:HASH"}},
          .examples = {"saferl monitor verify data/run/journal"},
          .run = RunVerify};
}

}  // namespace saferl::cli
