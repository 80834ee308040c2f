#include "saferl/cli/machine.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <sstream>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::cli {
namespace {

std::string FirstMatch(const std::string& path, std::string_view key) {
  const StatusOr<std::string> text = ReadFile(path, 1 << 20);
  if (!text.ok()) return "unknown";
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(": ");
    return colon == std::string::npos ? line : line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

Machine DescribeMachine() {
  Machine machine;
  machine.cpu = FirstMatch("/proc/cpuinfo", "model name");
  utsname name{};
  machine.kernel = uname(&name) == 0 ? Cat(name.sysname, " ", name.release) : "unknown";
  machine.compiler = Cat("g++ ", __VERSION__);
#ifdef __clang__
  machine.compiler = Cat("clang ", __clang_major__, ".", __clang_minor__);
#endif
  machine.build_type = SAFERL_BUILD_TYPE;
  machine.commit = SAFERL_COMMIT;
  machine.version = SAFERL_VERSION;
  machine.governor = FirstMatch("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "");
  machine.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  double load[1] = {0};
  if (getloadavg(load, 1) == 1) machine.load = load[0];
  return machine;
}

void WriteMachine(const Machine& machine, JsonWriter* w) {
  w->Key("machine").BeginObject();
  w->Field("cpu", machine.cpu).Field("cores", machine.cores).Field("kernel", machine.kernel);
  w->Field("governor", machine.governor).Field("load", machine.load);
  w->Field("compiler", machine.compiler).Field("build", machine.build_type).EndObject();
  w->Field("commit", machine.commit).Field("version", machine.version);
}

}  // namespace saferl::cli
