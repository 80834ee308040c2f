// Writes numbers from four threads, as rows or as objects, and says which are safe (harness.h):
// from round * 10^6 on, until it is killed or $NUMBERS_OF_EACH_THREAD are done.
//
//   crash_writer rows|objects DIRECTORY ROUND
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/crash/objects.h"
#include "tests/crash/rows.h"

namespace saferl::crash {
namespace {

using Add = std::function<Status(int64_t id)>;

StatusOr<Add> Open(std::string_view kind, const std::string& directory) {
  if (kind == "rows") {
    SAFERL_ASSIGN_OR_RETURN(std::shared_ptr<storage::Database> database, OpenRows(directory));
    return Add([database](int64_t id) { return AddRow(database.get(), id); });
  }
  SAFERL_ASSIGN_OR_RETURN(std::shared_ptr<storage::Objects> objects, OpenObjects(directory));
  return Add([objects](int64_t id) { return AddObject(objects.get(), id); });
}

[[noreturn]] void Fail(const Status& status) {
  std::fprintf(stderr, "crash_writer: %s\n", status.ToString().c_str());
  std::_Exit(3);
}

}  // namespace
}  // namespace saferl::crash

int main(int argc, char** argv) {
  const char* ack = std::getenv("ACK_FD");
  if (argc != 4 || ack == nullptr) {
    std::fprintf(stderr, "use: ACK_FD=n crash_writer rows|objects DIRECTORY ROUND\n");
    return 2;
  }
  const int ack_fd = std::atoi(ack);
  const int64_t first = std::atoll(argv[3]) * 1'000'000;
  const char* limit = std::getenv("NUMBERS_OF_EACH_THREAD");
  const int64_t most = limit ? std::atoll(limit) : 100'000;
  const auto add = saferl::crash::Open(argv[1], argv[2]);
  if (!add.ok()) saferl::crash::Fail(add.status());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < most; ++i) {
        const int64_t id = first + i * 4 + t;
        if (const saferl::Status written = (*add)(id); !written.ok()) saferl::crash::Fail(written);
        if (::write(ack_fd, &id, sizeof id) != sizeof id) std::_Exit(3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}
