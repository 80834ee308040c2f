#include "saferl/safety/safety_section.h"

#include <optional>
#include <type_traits>

#include "saferl/base/config.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"

namespace saferl::safety {
namespace {

/// Walks the fields and sets the number whose path is `wanted`; a list gets the value in every
/// entry.
class Setter {
 public:
  Setter(const std::string& wanted, double value) : wanted_(wanted), value_(value) {}

  template <class T>
  void Field(const char* key, T& field, const config::FieldInfo&) {
    const std::string path = prefix_.empty() ? std::string(key) : Cat(prefix_, ".", key);
    if constexpr (std::is_arithmetic_v<T>) {
      known.push_back(path);
      if (path == wanted_) Set(&field);
    } else if constexpr (std::is_same_v<T, std::vector<double>>) {
      known.push_back(path);
      for (double& entry : field) {
        if (path == wanted_) Set(&entry);
      }
    } else if constexpr (requires { T::Visit(*this, field); }) {
      const std::string outer = prefix_;
      prefix_ = path;
      T::Visit(*this, field);
      prefix_ = outer;
    }
  }

  bool done = false;
  std::vector<std::string> known;

 private:
  template <class T>
  void Set(T* field) {
    *field = static_cast<T>(value_);
    done = true;
  }

  std::string wanted_, prefix_;
  double value_;
};

}  // namespace

StatusOr<SafetySection> ReadSafetySection(const std::string& text, const std::string& name) {
  SAFERL_ASSIGN_OR_RETURN(const Node file, ParseYaml(text, name));
  const Node* section = file.Find("safety");
  if (section == nullptr) {
    return file.Error(
        "safety: is missing; a robot without a safety section is not driven; see docs/safety.md");
  }
  return config::Read<SafetySection>(*section);
}

Status ApplySafetyOverride(const std::string& path, double value, SafetySection* section) {
  Setter setter(path, value);
  SafetySection::Visit(setter, *section);
  if (setter.done) return absl::OkStatus();
  const std::optional<std::string> nearest = Nearest(path, setter.known);
  return absl::InvalidArgumentError(Cat("override 'safety.", path, "': no such number; ",
                                        nearest ? Cat("did you mean 'safety.", *nearest, "'?")
                                                : "see saferl/safety/safety_section.h"));
}

}  // namespace saferl::safety
