// saferl: every verb of the command line (docs/cli.md).
#include <algorithm>
#include <string>
#include <vector>

#include "saferl/cli/run.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  return saferl::cli::Run(words);
}
