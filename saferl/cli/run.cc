#include "saferl/cli/run.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "saferl/base/json.h"
#include "saferl/base/printable.h"
#include "saferl/base/text.h"
#include "saferl/cli/help.h"
#include "saferl/cli/parser.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

int Fail(const Status& status, bool json) {
  const ExitCode code = ToExitCode(status);
  const std::string message(status.message().data(), status.message().size());
  if (json) {
    JsonWriter w;
    w.BeginObject().Key("error").BeginObject();
    w.Field("code", absl::StatusCodeToString(status.code()))
        .Field("message", message)
        .EndObject()
        .EndObject();
    Console(true).Out(w.Take() + "\n");
  }
  std::fprintf(stderr, "saferl: %s%s\n",
               code == ExitCode::kInternal ? "a bug, please report it: " : "",
               Printable(message).c_str());
  return static_cast<int>(code);
}

StatusOr<ExitCode> Dispatch(std::span<const std::string> words, bool json) {
  const std::vector<Verb> verbs = Verbs();
  std::vector<std::string> all(words.begin(), words.end());
  if (!all.empty() && all[0] == "--version") all[0] = "version";
  SAFERL_ASSIGN_OR_RETURN(const Parsed parsed, ParseWords(verbs, all));
  Console console(json && !parsed.help);
  if (parsed.help) {
    std::string text = parsed.verb == nullptr ? ProgramHelp(verbs) : VerbHelp(*parsed.verb);
    if (parsed.verb == nullptr && std::find(all.begin(), all.end(), "--markdown") != all.end())
      text = MarkdownHelp(verbs);
    console.Out(text);
    return ExitCode::kOk;
  }
  return parsed.verb->run(parsed.args, console);
}

}  // namespace

int Run(std::span<const std::string> words) {
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  try {
    const StatusOr<ExitCode> code = Dispatch(words, json);
    if (!code.ok()) return Fail(code.status(), json);
    // An answer that nobody received is no answer, whatever it was.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return Fail(absl::UnavailableError("standard output cannot be written; the answer is lost: "
                                         "free some space or write elsewhere"),
                  false);
    return static_cast<int>(*code);
  } catch (const std::bad_alloc&) {
    return Fail(absl::ResourceExhaustedError("out of memory; ask for less or free some"), json);
  } catch (const std::exception& error) {
    return Fail(absl::InternalError(error.what()), json);
  }
}

}  // namespace saferl::cli
