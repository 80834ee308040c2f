#include "saferl/cli/parser.h"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "saferl/base/config.h"
#include "saferl/base/node.h"
#include "saferl/base/text.h"

namespace saferl::cli {
namespace {

/// The verb whose path is the longest prefix of the words; `used` words name it.
const Verb* FindVerb(const std::vector<Verb>& verbs, std::span<const std::string> words,
                     size_t* used) {
  const Verb* best = nullptr;
  *used = 0;
  for (const Verb& verb : verbs) {
    const size_t n = verb.path.size();
    if (n > *used && words.size() >= n &&
        std::equal(verb.path.begin(), verb.path.end(), words.begin())) {
      best = &verb;
      *used = n;
    }
  }
  return best;
}

/// "saferl polcy show" -> did you mean 'policy'? "saferl policy" -> one of export, ...
Status UnknownVerb(const std::vector<Verb>& verbs, std::span<const std::string> words) {
  std::vector<std::string> first, second;
  for (const Verb& verb : verbs) {
    if (std::find(first.begin(), first.end(), verb.path[0]) == first.end())
      first.push_back(verb.path[0]);
    if (verb.path.size() > 1 && verb.path[0] == words[0]) second.push_back(verb.path[1]);
  }
  if (!second.empty()) {
    const std::string given = words.size() > 1 ? words[1] : "";
    const std::optional<std::string> nearest =
        given.empty() ? std::nullopt : Nearest(given, second);
    return absl::InvalidArgumentError(Cat(
        words[0], given.empty() ? ": needs a second word" : Cat(" ", given, ": unknown verb"), "; ",
        nearest ? Cat("did you mean '", words[0], " ", *nearest, "'?")
                : Cat("give one of: ", Join(second, ", "))));
  }
  const std::optional<std::string> nearest = Nearest(words[0], first);
  return absl::InvalidArgumentError(
      Cat(words[0], ": unknown verb; ",
          nearest ? Cat("did you mean '", *nearest, "'?") : "see saferl --help"));
}

bool IsPositional(const ArgSpec& spec) { return !spec.name.starts_with("-"); }

Status CheckValue(const ArgSpec& spec, const std::string& value) {
  Node node(Node::Kind::kScalar, nullptr, 0);
  node.set_text(value, false);
  const auto fail = [&](std::string_view problem) {
    return absl::InvalidArgumentError(Cat(spec.name, ": ", problem));
  };
  const config::FieldInfo range{.min = spec.min, .max = spec.max};
  double number = 0;
  switch (spec.kind) {
    case ArgKind::kFlag:
    case ArgKind::kText:
      return value.empty() ? fail("is empty; give a value") : absl::OkStatus();
    case ArgKind::kChoice: {
      if (std::find(spec.choices.begin(), spec.choices.end(), value) != spec.choices.end())
        return absl::OkStatus();
      const std::optional<std::string> nearest = Nearest(value, spec.choices);
      return fail(Cat("'", value, "' is not known; ",
                      nearest ? Cat("did you mean '", *nearest, "'?")
                              : Cat("give one of ", Join(spec.choices, ", "))));
    }
    case ArgKind::kWhole: {
      const StatusOr<int64_t> whole = node.AsInt64();
      if (!whole.ok())
        return fail(
            Cat("expected a whole number, found '", value, "'; write a number such as 1000"));
      number = static_cast<double>(*whole);
      break;
    }
    case ArgKind::kReal: {
      const StatusOr<double> real = node.AsDouble();
      if (!real.ok())
        return fail(
            Cat("expected a finite number, found '", value, "'; write a number such as 0.5"));
      number = *real;
      break;
    }
  }
  if (number < spec.min)
    return fail(Cat(value, " is below ", spec.min, "; give at least ", spec.min));
  if (number > spec.max)
    return fail(Cat(value, " is above ", spec.max, "; give at most ", spec.max));
  return absl::OkStatus();
}

/// CLI11's part: words to raw values, by the verb's specs.
Status Split(const Verb& verb, std::vector<std::string> words,
             std::map<std::string, std::vector<std::string>>* raw, bool* help) {
  CLI::App app;
  app.allow_extras();
  app.set_help_flag();
  bool wants_help = false;
  app.add_flag("-h,--help", wants_help);
  std::map<std::string, bool> flags;
  std::vector<ArgSpec> specs = verb.args;
  specs.push_back(JsonArg());
  for (const ArgSpec& spec : specs) {
    if (spec.kind == ArgKind::kFlag) {
      app.add_flag(spec.name, flags[spec.name]);
    } else {
      CLI::Option* option = app.add_option(spec.name, (*raw)[spec.name]);
      option->expected(1);
      // A word that stands for itself is one word: what follows belongs to the next argument.
      if (IsPositional(spec) && !spec.repeated) {
        option->allow_extra_args(false);
      } else {
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      }
      if (IsPositional(spec) && spec.repeated) option->expected(1, 10'000);
    }
  }
  try {
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(Cat(error.what(), "; see saferl ", verb.Name(), " --help"));
  }
  *help = wants_help;
  const std::vector<std::string> extras = app.remaining();
  if (!extras.empty() && !wants_help) {
    std::vector<std::string> known = {"--help"};
    for (const ArgSpec& spec : specs) known.push_back(spec.name);
    const std::optional<std::string> nearest =
        extras[0].starts_with("-") ? Nearest(extras[0].substr(0, extras[0].find('=')), known)
                                   : std::nullopt;
    return absl::InvalidArgumentError(
        Cat(extras[0], extras[0].starts_with("-") ? ": unknown option; " : ": one word too many; ",
            nearest ? Cat("did you mean '", *nearest, "'?")
                    : Cat("see saferl ", verb.Name(), " --help")));
  }
  for (const auto& [name, set] : flags) {
    if (set) (*raw)[name].push_back("true");
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<Parsed> ParseWords(const std::vector<Verb>& verbs, std::span<const std::string> words) {
  Parsed parsed;
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    parsed.help = true;
    return parsed;
  }
  size_t used = 0;
  parsed.verb = FindVerb(verbs, words, &used);
  if (parsed.verb == nullptr) {
    // "saferl policy --help" lists the verbs below it.
    if (words.size() > 1 && (words[1] == "--help" || words[1] == "-h")) {
      for (const Verb& verb : verbs) parsed.help = parsed.help || verb.path[0] == words[0];
      if (parsed.help) return parsed;
    }
    return UnknownVerb(verbs, words);
  }
  std::map<std::string, std::vector<std::string>> raw;
  SAFERL_RETURN_IF_ERROR(Split(*parsed.verb,
                               {words.begin() + static_cast<ptrdiff_t>(used), words.end()}, &raw,
                               &parsed.help));
  if (parsed.help) return parsed;
  parsed.args.Declare(JsonArg().name);
  for (const std::string& value : raw[JsonArg().name]) parsed.args.Add(JsonArg().name, value);
  for (const ArgSpec& spec : parsed.verb->args) {
    parsed.args.Declare(spec.name);
    const std::vector<std::string>& values = raw[spec.name];
    if (values.size() > 1 && !spec.repeated) {
      return absl::InvalidArgumentError(
          Cat(spec.name, ": given ", values.size(), " times; give it once"));
    }
    for (const std::string& value : values) {
      SAFERL_RETURN_IF_ERROR(CheckValue(spec, value));
      parsed.args.Add(spec.name, value);
    }
    if (!values.empty()) continue;
    if (spec.required) {
      return absl::InvalidArgumentError(Cat(spec.name, ": is missing (", spec.doc, "); see saferl ",
                                            parsed.verb->Name(), " --help"));
    }
    if (!spec.fallback.empty()) parsed.args.Add(spec.name, spec.fallback);
  }
  return parsed;
}

}  // namespace saferl::cli
