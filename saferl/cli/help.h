#pragma once
// Help texts, made from the verbs' descriptions. RT: no. Errors: none.

#include <string>
#include <vector>

#include "saferl/cli/verb.h"

namespace saferl::cli {

/// The program: what it is, every verb with its summary, exit codes.
std::string ProgramHelp(const std::vector<Verb>& verbs);
/// One verb: usage, arguments, examples.
std::string VerbHelp(const Verb& verb);
/// The same as Markdown tables: docs/cli.md is this text (cli_test compares them).
std::string MarkdownHelp(const std::vector<Verb>& verbs);

}  // namespace saferl::cli
