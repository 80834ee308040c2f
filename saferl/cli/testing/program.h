#pragma once
// The built `saferl`, run in a folder of its own that goes with it. For tests. RT: no.
//
//   Program saferl("push", SAFERL_BINARY_DIR);
//   const Node made = saferl.Json("registry push a.policy --who ann");   // exit code 0 expected

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::cli {

struct ProgramResult {
  int code = -1;
  std::string out, err;
};

class Program {
 public:
  Program(const std::string& name, const std::string& build)
      : binary_(build + "/bin/saferl"), folder_(name) {}
  const std::string& folder() const { return folder_.path(); }
  std::string Path(const std::string& file) const { return Cat(folder(), "/", file); }
  const std::string& binary() const { return binary_; }

  ProgramResult Run(const std::string& words) const {
    const std::string command =
        Cat("cd '", folder(), "' && ", binary_, " ", words, " 2>'", Path(".stderr"), "'");
    ProgramResult result;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return result;
    char buffer[4096];
    for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      result.out.append(buffer, n);
    const int state = ::pclose(pipe);
    result.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    result.err = ReadFile(Path(".stderr")).value_or("");
    return result;
  }
  /// With --json; a failure of the test where the exit code is another or the answer no JSON.
  Node Json(const std::string& words, int code = 0) const {
    const ProgramResult result = Run(words + " --json");
    EXPECT_EQ(result.code, code) << words << "\n" << result.err << result.out;
    const StatusOr<Node> node = ParseJson(result.out, words);
    EXPECT_TRUE(node.ok()) << words << ": " << result.out;
    return node.ok() ? *node : Node();
  }
  /// The exit code, and a message that names what is wrong, for people and for programs.
  void Refuses(const std::string& words, int code, const std::string& why) const {
    const ProgramResult result = Run(words);
    EXPECT_EQ(result.code, code) << words << "\n" << result.err << result.out;
    EXPECT_NE(result.err.find(why), std::string::npos) << words << "\n" << result.err;
    EXPECT_EQ(result.out, "") << words;
    const Node node = Json(words, code);
    const Node* error = node.is_map() ? node.Find("error") : nullptr;
    ASSERT_NE(error, nullptr) << words;
    EXPECT_NE(error->Find("message")->text().find(why), std::string::npos) << words;
  }

 private:
  const std::string binary_;
  storage::testing::TemporaryDirectory folder_;
};

}  // namespace saferl::cli
