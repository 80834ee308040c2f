#include "saferl/cli/help.h"

#include "saferl/base/table.h"
#include "saferl/base/text.h"

namespace saferl::cli {
namespace {

struct CodeLine {
  const char* code;
  const char* meaning;
};
constexpr CodeLine kCodes[] = {
    {"0", "done"},
    {"1", "ran, and the answer is no: a violation, a difference, a failed check"},
    {"2", "bad input: a wrong word, file, line or field; nothing was written"},
    {"3", "the environment failed: a file, memory, a device, permission"},
    {"4", "a bug in saferl; please report it"},
};

std::string Left(const ArgSpec& spec) {
  if (spec.kind == ArgKind::kFlag || !spec.name.starts_with("-")) return spec.name;
  return Cat(spec.name, " ", spec.value_name.empty() ? "VALUE" : spec.value_name);
}

std::string Right(const ArgSpec& spec) {
  std::string text = spec.doc;
  if (!spec.choices.empty()) text += Cat(": ", Join(spec.choices, ", "));
  if (!spec.fallback.empty()) text += Cat(" (default ", spec.fallback, ")");
  if (spec.repeated) text += "; may be repeated";
  return text;
}

std::string Usage(const Verb& verb) {
  std::string text = Cat("saferl ", verb.Name());
  for (const ArgSpec& spec : verb.args) {
    std::string word = Left(spec);
    if (spec.repeated) word += "...";
    text += spec.required ? Cat(" ", word) : Cat(" [", word, "]");
  }
  return text + " [--json]";
}

}  // namespace

std::string ProgramHelp(const std::vector<Verb>& verbs) {
  std::string text =
      "saferl - a person and a learned policy drive one robot together, and every command is "
      "proved safe\n\n"
      "usage: saferl VERB [ARGUMENTS] [--json]      saferl VERB --help      saferl "
      "--version\n\nverbs\n";
  size_t width = 0;
  for (const Verb& verb : verbs) width = std::max(width, verb.Name().size());
  for (const Verb& verb : verbs) {
    text += Cat("  ", verb.Name(), std::string(width - verb.Name().size() + 2, ' '), verb.summary,
                "\n");
  }
  text += "\nexit codes\n";
  for (const CodeLine& line : kCodes) text += Cat("  ", line.code, "  ", line.meaning, "\n");
  return text +
         "\nfirst steps\n  saferl demo\n  saferl prove safety --robot wheelchair --ticks 1000000\n";
}

std::string VerbHelp(const Verb& verb) {
  std::string text =
      Cat("saferl ", verb.Name(), " - ", verb.summary, "\n\nusage: ", Usage(verb), "\n");
  if (!verb.description.empty()) text += Cat("\n", verb.description, "\n");
  std::vector<ArgSpec> specs = verb.args;
  specs.push_back(JsonArg());
  size_t width = 0;
  for (const ArgSpec& spec : specs) width = std::max(width, Left(spec).size());
  text += "\narguments\n";
  for (const ArgSpec& spec : specs) {
    text +=
        Cat("  ", Left(spec), std::string(width - Left(spec).size() + 2, ' '), Right(spec), "\n");
  }
  text += "\nexamples\n";
  for (const std::string& example : verb.examples) text += Cat("  ", example, "\n");
  return text;
}

std::string MarkdownHelp(const std::vector<Verb>& verbs) {
  std::string text =
      "# The command line\n\n"
      "`make build` leaves the programs in `build/bin/`. Every verb has `--help` and `--json` (one "
      "JSON object on\n"
      "standard output; progress and messages go to standard error). This page is `saferl help "
      "--markdown`'s output.\n\n"
      "## Exit codes\n\n| code | meaning |\n|---|---|\n";
  for (const CodeLine& line : kCodes) text += Cat("| ", line.code, " | ", line.meaning, " |\n");
  text += "\n## Verbs\n\n| verb | what it does |\n|---|---|\n";
  for (const Verb& verb : verbs)
    text += Cat("| `saferl ", verb.Name(), "` | ", verb.summary, " |\n");
  for (const Verb& verb : verbs) {
    text += Cat("\n### saferl ", verb.Name(), "\n\n", verb.summary, ".");
    if (!verb.description.empty()) text += Cat(" ", verb.description);
    text += Cat("\n\n```\n", Usage(verb), "\n```\n");
    if (!verb.args.empty()) {
      text += "\n| argument | meaning |\n|---|---|\n";
      for (const ArgSpec& spec : verb.args)
        text += Cat("| `", Left(spec), "` | ", Right(spec), " |\n");
    }
    text += "\n```sh\n";
    for (const std::string& example : verb.examples) text += example + "\n";
    text += "```\n";
  }
  text +=
      "\n## Shell completion\n\n```sh\nsaferl completion bash > /etc/bash_completion.d/saferl\n"
      "saferl completion zsh > \"${fpath[1]}/_saferl\"\nsaferl completion fish > "
      "~/.config/fish/completions/saferl.fish\n"
      "```\n";
  return text;
}

}  // namespace saferl::cli
