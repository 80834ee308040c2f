#pragma once
// The program: words in, exit code out. Catches everything; no stack trace or exception ever
// reaches the user.
//
// Standard output carries the answer only (with --json exactly one JSON object, also for errors:
// {"error":{"code","message"}}); standard error carries messages and progress. RT: no.

#include <span>
#include <string>

namespace saferl::cli {

int Run(std::span<const std::string> words);

}  // namespace saferl::cli
