#include "saferl/storage/testing/process.h"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "saferl/base/text.h"

namespace saferl::storage::testing {

StatusOr<std::unique_ptr<Process>> Process::Start(const std::vector<std::string>& argv,
                                                  const ChildOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const pid_t pid, StartChild(argv, options));
  return std::unique_ptr<Process>(new Process(pid));
}

void Process::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void Process::Pause() {
  ::kill(pid_, SIGSTOP);
  int status = 0;
  ::waitpid(pid_, &status, WUNTRACED);
}

void Process::Resume() { ::kill(pid_, SIGCONT); }

bool Process::running() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
  return pid_ > 0;
}

StatusOr<Certificates> Certificates::Make(const std::string& directory) {
  const auto path = [&](std::string_view name) { return Cat(directory, "/", name); };
  const std::string log = path("openssl.log");
  for (const char* ca : {"ca", "other_ca"}) {
    SAFERL_RETURN_IF_ERROR(
        RunChild({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", Cat("/CN=test ", ca),
                  "-keyout", path(Cat(ca, ".key")), "-out", path(Cat(ca, ".pem"))},
                 {.log = log}));
  }
  for (const char* name : {"server", "client"}) {
    SAFERL_RETURN_IF_ERROR(RunChild({"/usr/bin/openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:P-256",
                                     "-nodes",
                                     "-days",
                                     "2",
                                     "-subj",
                                     Cat("/CN=test ", name),
                                     "-addext",
                                     "subjectAltName=DNS:localhost,IP:127.0.0.1",
                                     "-addext",
                                     "basicConstraints=critical,CA:FALSE",
                                     "-CA",
                                     path("ca.pem"),
                                     "-CAkey",
                                     path("ca.key"),
                                     "-keyout",
                                     path(Cat(name, ".key")),
                                     "-out",
                                     path(Cat(name, ".pem"))},
                                    {.log = log}));
  }
  return Certificates{path("ca.pem"),     path("other_ca.pem"), path("server.pem"),
                      path("server.key"), path("client.pem"),   path("client.key")};
}

}  // namespace saferl::storage::testing
