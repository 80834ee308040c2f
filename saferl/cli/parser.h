#pragma once
// Words of a command line to a verb's checked Args. The one user of CLI11 is parser.cc.
//
// Errors: kInvalidArgument "<option>: <problem>; <next step>"; unknown verbs and options name the
// nearest known one. RT: no.

#include <span>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/cli/verb.h"

namespace saferl::cli {

struct Parsed {
  const Verb* verb = nullptr;  ///< null: help or version of the program itself
  bool help = false;
  Args args;
};

/// `words` without the program's name.
StatusOr<Parsed> ParseWords(const std::vector<Verb>& verbs, std::span<const std::string> words);

}  // namespace saferl::cli
