#include "saferl/cli/verb.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "saferl/base/data_path.h"
#include "saferl/base/node.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"

namespace saferl::cli {
namespace {

/// Numbers were checked by the parser, so this only converts.
Node Scalar(const std::string& text) {
  Node node(Node::Kind::kScalar, nullptr, 0);
  node.set_text(text, false);
  return node;
}

}  // namespace

const std::vector<std::string>& Args::All(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    std::fprintf(stderr, "saferl: argument %s is not declared\n", std::string(name).c_str());
    std::abort();
  }
  return found->second;
}

const std::string& Args::text(std::string_view name) const {
  static const std::string kEmpty;
  const std::vector<std::string>& all = All(name);
  return all.empty() ? kEmpty : all.back();
}

int64_t Args::whole(std::string_view name) const {
  return Scalar(text(name)).AsInt64().value_or(0);
}
double Args::real(std::string_view name) const {
  return Scalar(text(name)).AsDouble().value_or(0.0);
}

bool Console::colour() const { return !json_ && WantsColour(STDOUT_FILENO); }

void Console::Out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string Verb::Name() const { return Join(path, " "); }

const ArgSpec& JsonArg() {
  static const ArgSpec spec{
      .name = "--json", .doc = "answer with one JSON object", .kind = ArgKind::kFlag};
  return spec;
}

ArgSpec RobotArg() {
  return {.name = "--robot",
          .doc = Cat("a robot of data/robots (", Join(ListNames("robots", ".yaml"), ", "),
                     ") or a path"),
          .value_name = "ROBOT",
          .fallback = "wheelchair"};
}

ArgSpec SeedArg() {
  return {.name = "--seed",
          .doc = "same seed, same answer",
          .kind = ArgKind::kWhole,
          .value_name = "S",
          .fallback = "1",
          .min = 0};
}

ArgSpec ThreadsArg() {
  return {.name = "--threads",
          .doc = "does not change the answer",
          .kind = ArgKind::kWhole,
          .value_name = "K",
          .fallback = "2",
          .min = 1,
          .max = 256};
}

}  // namespace saferl::cli
