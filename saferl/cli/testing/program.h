#pragma once
// The built `saferl`, run in a folder of its own that goes with it. For tests,
// which what is thrown here fails. RT: no.
//
//   Program saferl("push", SAFERL_BINARY_DIR);
//   const Node made = saferl.Json("registry push a.policy --who ann");   // exit code 0 expected

#include <sys/wait.h>

#include <cstdio>
#include <stdexcept>
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
  const std::string& environment() const { return environment_; }

  /// What every later Run has in its environment besides: "NAME=value".
  void SetEnvironment(std::string words) { environment_ = std::move(words); }

  ProgramResult Run(const std::string& words) const {
    const std::string command = Cat("cd '", folder(), "' && ", environment_, " ", binary_, " ",
                                    words, " 2>'", Path(".stderr"), "'");
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
  /// With --json; throws where the exit code is another or the answer no JSON.
  Node Json(const std::string& words, int code = 0) const {
    const ProgramResult result = Run(words + " --json");
    Require(result.code == code, words, result);
    StatusOr<Node> node = ParseJson(result.out, words);
    Require(node.ok(), words, result);
    return *std::move(node);
  }
  /// The exit code, and a message that names what is wrong, for people and for programs.
  void Refuses(const std::string& words, int code, const std::string& why) const {
    const ProgramResult result = Run(words);
    const bool told = result.err.find(why) != std::string::npos;
    Require(result.code == code && told && result.out.empty(), words, result);
    const Node node = Json(words, code);
    const Node* error = node.Find("error");
    const Node* message = error == nullptr ? nullptr : error->Find("message");
    Require(message != nullptr && message->text().find(why) != std::string::npos, words, result);
  }

 private:
  static void Require(bool holds, const std::string& words, const ProgramResult& got) {
    if (!holds)
      throw std::runtime_error(Cat(words, "\nexit code ", got.code, "\n", got.err, got.out));
  }

  const std::string binary_;
  std::string environment_;
  storage::testing::TemporaryDirectory folder_;
};

}  // namespace saferl::cli
