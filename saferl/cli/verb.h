#pragma once
// A verb of the command line as data: its arguments, its help, its examples and what it does.
// Parsing, help texts, shell completion and docs/cli.md all come from this one description
// (parser.h, help.h, completion.cc).
//
// Every verb also has --json (the answer as one JSON object on standard output) and --help.
// Errors: a verb returns a Status; the caller prints it and maps it to an exit code
// (base/status.h). RT: no.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::cli {

enum class ArgKind : uint8_t { kFlag, kText, kWhole, kReal, kChoice };

/// One argument: "--ticks" is an option, "FILE" a positional one.
struct ArgSpec {
  std::string name;
  std::string doc;
  ArgKind kind = ArgKind::kText;
  std::string value_name = "";  ///< shown in help, e.g. "N"
  std::string fallback = "";    ///< value when absent; "" = absent
  bool required = false;
  bool repeated = false;  ///< may be given several times (options only)
  double min = -1e18, max = 1e18;
  std::vector<std::string> choices = {};
};

/// The values of one call, checked against the specs. Asking for a name that the verb does not
/// declare aborts.
class Args {
 public:
  bool flag(std::string_view name) const { return !All(name).empty(); }
  bool has(std::string_view name) const { return !All(name).empty(); }
  const std::string& text(std::string_view name) const;
  int64_t whole(std::string_view name) const;
  double real(std::string_view name) const;
  const std::vector<std::string>& All(std::string_view name) const;

  void Declare(const std::string& name) { values_[name]; }
  void Add(const std::string& name, std::string value) {
    values_[name].push_back(std::move(value));
  }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

/// Where a verb writes: the answer to Out (standard output), all else to the log or a Progress
/// (standard error).
class Console {
 public:
  explicit Console(bool json) : json_(json) {}
  /// True: the answer must be exactly one JSON object, and nobody watches for progress.
  bool json() const { return json_; }
  bool colour() const;
  /// Appends to the answer; it is written at once when standard output is not JSON.
  void Out(std::string_view text);

 private:
  bool json_;
};

struct Verb {
  std::vector<std::string> path;  ///< {"policy", "show"}
  std::string summary;            ///< one line
  std::string description;        ///< what the exit code 1 means, files written, ...
  std::vector<ArgSpec> args;
  std::vector<std::string> examples;
  std::function<StatusOr<ExitCode>(const Args&, Console&)> run;

  std::string Name() const;  ///< "policy show"
};

/// --json, which every verb gets.
const ArgSpec& JsonArg();

/// Shared specs.
ArgSpec RobotArg();
ArgSpec SeedArg();
ArgSpec ThreadsArg();

}  // namespace saferl::cli
