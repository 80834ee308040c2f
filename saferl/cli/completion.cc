#include <algorithm>
#include <map>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

/// Words that may follow the first word.
std::map<std::string, std::vector<std::string>> SecondWords(const std::vector<Verb>& verbs) {
  std::map<std::string, std::vector<std::string>> words;
  for (const Verb& verb : verbs) {
    std::vector<std::string>& second = words[verb.path[0]];
    if (verb.path.size() > 1) second.push_back(verb.path[1]);
  }
  return words;
}

std::string Options(const Verb& verb) {
  std::string text = "--help --json";
  for (const ArgSpec& spec : verb.args) {
    if (spec.name.starts_with("-")) text += " " + spec.name;
  }
  return text;
}

std::string FirstWords(const std::vector<Verb>& verbs) {
  std::vector<std::string> first;
  for (const auto& [word, second] : SecondWords(verbs)) first.push_back(word);
  return Join(first, " ");
}

std::string Bash(const std::vector<Verb>& verbs) {
  std::string text =
      "_saferl() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\"\"\n  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"" +
      FirstWords(verbs) +
      " --help --version\"\n  else\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n";
  for (const Verb& verb : verbs) {
    if (verb.path.size() > 1)
      text += Cat("      \"", verb.Name(), "\") words=\"", Options(verb), "\" ;;\n");
  }
  for (const Verb& verb : verbs) {
    if (verb.path.size() == 1)
      text += Cat("      \"", verb.Name(), " \"*) words=\"", Options(verb), "\" ;;\n");
  }
  for (const auto& [word, second] : SecondWords(verbs)) {
    if (!second.empty())
      text += Cat("      \"", word, " \"*) words=\"", Join(second, " "), "\" ;;\n");
  }
  return text +
         "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\ncomplete -F "
         "_saferl saferl\n";
}

std::string Zsh(const std::vector<Verb>& verbs) {
  return "#compdef saferl\nautoload -U +X bashcompinit && bashcompinit\n" + Bash(verbs);
}

std::string FishQuoted(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return "'" + out + "'";
}

std::string Fish(const std::vector<Verb>& verbs) {
  std::string text = "complete -c saferl -n __fish_use_subcommand -f\n";
  for (const auto& [word, second] : SecondWords(verbs)) {
    text += Cat("complete -c saferl -n __fish_use_subcommand -a ", word, "\n");
    if (!second.empty()) {
      text += Cat("complete -c saferl -n '__fish_seen_subcommand_from ", word,
                  "; and not __fish_seen_subcommand_from ", Join(second, " "), "' -a '",
                  Join(second, " "), "'\n");
    }
  }
  for (const Verb& verb : verbs) {
    std::string when = "__fish_seen_subcommand_from " + verb.path[0];
    if (verb.path.size() > 1) when += "; and __fish_seen_subcommand_from " + verb.path[1];
    for (const ArgSpec& spec : verb.args) {
      if (spec.name.starts_with("--")) {
        text += Cat("complete -c saferl -n '", when, "' -l ", spec.name.substr(2),
                    spec.kind == ArgKind::kFlag ? "" : " -r", " -d ", FishQuoted(spec.doc), "\n");
      }
    }
  }
  return text;
}

StatusOr<ExitCode> RunCompletion(const Args& args, Console& console) {
  const std::vector<Verb> verbs = Verbs();
  const std::string& shell = args.text("SHELL");
  const std::string script = shell == "bash"  ? Bash(verbs)
                             : shell == "zsh" ? Zsh(verbs)
                                              : Fish(verbs);
  if (console.json()) {
    console.Out(JsonWriter()
                    .BeginObject()
                    .Field("shell", shell)
                    .Field("script", script)
                    .EndObject()
                    .Take() +
                "\n");
  } else {
    console.Out(script);
  }
  return ExitCode::kOk;
}

}  // namespace

Verb CompletionVerb() {
  return {.path = {"completion"},
          .summary = "a completion script for your shell",
          .description = "",
          .args = {{.name = "SHELL",
                    .doc = "which shell",
                    .kind = ArgKind::kChoice,
                    .required = true,
                    .choices = {"bash", "zsh", "fish"}}},
          .examples = {"saferl completion bash > /etc/bash_completion.d/saferl"},
          .run = RunCompletion};
}

}  // namespace saferl::cli
