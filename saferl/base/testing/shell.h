#pragma once
// Runs what other people wrote: a shell command to its end, with its standard output. For tests.

#include <sys/wait.h>

#include <cstdio>
#include <string>

namespace saferl {

struct ShellResult {
  int code = -1;       ///< exit status; 128 + the signal that ended it; -1: it could not be started
  std::string output;  ///< add 2>&1 to the command for its errors
};

inline ShellResult Shell(const std::string& command) {
  ShellResult result;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return result;
  char bytes[4096];
  for (size_t n = 0; (n = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;)
    result.output.append(bytes, n);
  const int state = pclose(pipe);
  result.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return result;
}

}  // namespace saferl
