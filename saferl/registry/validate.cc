#include "saferl/registry/validate.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"

namespace saferl::registry {
namespace {

using policy::Policy;
using policy::PolicySpec;

Check Of(const char* name, const Status& status, std::string good) {
  return {name, status.ok(), status.ok() ? std::move(good) : Cat(status.message())};
}

Status CheckShape(const PolicySpec& spec, const ValidationOptions& o) {
  const auto bad = [](auto&&... text) { return absl::InvalidArgumentError(Cat(text...)); };
  if (!o.robot.empty() && spec.robot != o.robot)
    return bad("made for robot '", spec.robot, "', not '", o.robot, "'");
  if (o.n_obs != 0 && spec.n_obs() != o.n_obs)
    return bad("takes ", spec.n_obs(), " observations, the robot gives ", o.n_obs);
  if (o.n_act != 0 && spec.n_act() != o.n_act)
    return bad("gives ", spec.n_act(), " actions, the robot takes ", o.n_act);
  return absl::OkStatus();
}

/// One expected range per element of the observation.
std::vector<std::pair<float, float>> Box(const PolicySpec& spec) {
  std::vector<std::pair<float, float>> box;
  for (const policy::Field& field : spec.observation)
    box.insert(box.end(), static_cast<size_t>(field.size), {field.low, field.high});
  return box;
}

/// Inside of the box; every fourth a corner; every fourth ten widths outside of it, which is what
/// a broken sensor gives.
void Sample(const std::vector<std::pair<float, float>>& box, int turn, Random* random,
            std::vector<float>* observation) {
  for (size_t i = 0; i < box.size(); ++i) {
    const auto [low, high] = box[i];
    const double width = static_cast<double>(high) - low;
    double x = low + width * random->Uniform();
    if (turn % 4 == 1) x = random->Uniform() < 0.5 ? low : high;
    if (turn % 4 == 3) x = low + width * (20 * random->Uniform() - 9.5);
    (*observation)[i] = static_cast<float>(x);
  }
}

Status CheckActions(const PolicySpec& spec, const std::vector<float>& action, int turn) {
  for (size_t i = 0; i < action.size(); ++i) {
    if (!std::isfinite(action[i]))
      return absl::InvalidArgumentError(Cat("sample ", turn, ": action ", i, " is not finite"));
    const float reach = std::abs(spec.action_scale[i]) * 1.0001F + 1e-6F;
    if (spec.squash && std::abs(action[i] - spec.action_offset[i]) > reach)
      return absl::InvalidArgumentError(Cat("sample ", turn, ": action ", i, " is ", action[i],
                                            ", outside of its scale ", spec.action_scale[i]));
  }
  return absl::OkStatus();
}

/// Both at once: finite actions, and the same bits from two loads.
void CheckOutputs(const Policy& a, const Policy& b, const ValidationOptions& o, Check* repeat,
                  Check* finite) {
  const PolicySpec& spec = a.spec();
  const std::vector<std::pair<float, float>> box = Box(spec);
  Random random(o.seed);
  std::vector<float> observation(box.size()), first(static_cast<size_t>(spec.n_act())),
      second(first.size());
  for (int turn = 0; turn < o.samples && (finite->good || repeat->good); ++turn) {
    Sample(box, turn, &random, &observation);
    const bool ran = a.Forward(observation, first);
    const bool again = b.Forward(observation, second);
    if (!ran && finite->good)
      *finite = {"finite", false, Cat("sample ", turn, ": the policy gives no finite action")};
    if (const Status status = CheckActions(spec, first, turn); !status.ok() && finite->good)
      *finite = Of("finite", status, "");
    if (ran != again || std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) != 0)
      *repeat = {"repeat", false, Cat("sample ", turn, ": two loads give different bits")};
  }
}

}  // namespace

bool Validation::good() const {
  return !checks.empty() &&
         std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.good; });
}

Validation Validate(std::string_view package, const ValidationOptions& o) {
  Validation v;
  v.digest = Sha256Hex(package);
  StatusOr<PolicySpec> spec = policy::DecodePackage(package, "package");
  Status same = absl::OkStatus();
  if (!o.digest.empty() && o.digest != v.digest)
    same = absl::DataLossError(Cat("sha256 ", v.digest, " where the registry has ", o.digest));
  v.checks.push_back(Of("package", spec.ok() ? same : spec.status(),
                        Cat(package.size(), " bytes, sha256 ", v.digest)));
  if (!spec.ok()) return v;
  v.name = spec->name;
  v.robot = spec->robot;
  v.checks.push_back(
      Of("shape", CheckShape(*spec, o),
         Cat(spec->n_obs(), " observations, ", spec->n_act(), " actions for ", spec->robot)));
  const size_t golden = spec->golden_observations.size();
  const auto a = Policy::Create(*spec), b = Policy::Create(*spec);
  v.checks.push_back(Of("golden", a.status(), Cat(golden, " golden vectors recomputed")));
  if (a.ok() && b.ok()) {
    Check repeat{"repeat", true, Cat(o.samples, " samples, the same bits from two loads")};
    Check finite{"finite", true, Cat(o.samples, " samples in and around the observation's box")};
    CheckOutputs(**a, **b, o, &repeat, &finite);
    v.checks.push_back(std::move(repeat));
    v.checks.push_back(std::move(finite));
    if (o.safety_gate) v.checks.push_back(o.safety_gate(*spec));
  }
  return v;
}

std::string ToJson(const Validation& v) {
  JsonWriter w;
  w.BeginObject().Field("good", v.good()).Field("digest", v.digest).Field("name", v.name);
  w.Field("robot", v.robot).Key("checks").BeginArray();
  for (const Check& check : v.checks) {
    w.BeginObject().Field("name", check.name).Field("good", check.good);
    w.Field("detail", check.detail).EndObject();
  }
  return w.EndArray().EndObject().Take();
}

}  // namespace saferl::registry
