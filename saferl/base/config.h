#pragma once
// Typed configuration: one field list drives parse, validate, print and docs.
//
//   struct Wheels {
//     double max_speed_m_s = 1.0;
//     std::optional<double> timeout_s;                      // "off" in the file = not set
//     template <class V>
//     static void Visit(V& v, Wheels& s) {
//       v.Field("max_speed_m_s", s.max_speed_m_s, {.doc = "top speed", .unit = "m/s", .min = 0.05,
//       .max = 3}); v.Field("timeout_s", s.timeout_s, {.doc = "stop after this silence", .unit =
//       "s", .min = 0});
//     }
//     Status Check() const;                                 // optional: rules between fields
//   };
//   StatusOr<Wheels> wheels = config::Read<Wheels>(node);
//
// Field types: double, float, int, int64_t, uint64_t, bool, std::string, enums with {.names =
// {"require", "warn"}} (value = position), nested structs with Visit, std::vector and std::array of
// any of these, std::optional of a scalar (the word `off`). Without .required = true an absent
// field keeps the struct's default. Errors: kInvalidArgument "file:line: a.b.field: problem; next
// step": unknown key (naming the nearest known one), missing, wrong type, out of range. RT: no.

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "saferl/base/node.h"
#include "saferl/base/status.h"
#include "saferl/base/text.h"

namespace saferl::config {

struct FieldInfo {
  const char* doc = "";
  const char* unit = "";
  double min =
      -std::numeric_limits<double>::infinity();  ///< closed range of numbers (of each element)
  double max = std::numeric_limits<double>::infinity();
  bool required = false;
  std::vector<std::string> names{};  ///< of an enum's values or a string's choices
  size_t min_size = 0;               ///< of a vector
  size_t max_size = 100'000;
  bool secret = false;  ///< printed as ***
};

/// One line of the generated documentation.
struct FieldDoc {
  std::string path, type, default_value, range, unit, doc;
};

namespace internal {

template <class T>
concept Struct =
    std::is_class_v<T> && requires(T& t) { T::Visit(std::declval<struct AnyVisitor&>(), t); };
template <class T>
struct IsVector : std::false_type {};
template <class E>
struct IsVector<std::vector<E>> : std::true_type {};
template <class T>
struct IsArray : std::false_type {};
template <class E, size_t N>
struct IsArray<std::array<E, N>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class E>
struct IsOptional<std::optional<E>> : std::true_type {};

/// What is known about the struct, so that Struct<T> above can be checked without a real visitor.
struct AnyVisitor {
  template <class T>
  void Field(const char*, T&, const FieldInfo&) {}
};

// The type-erased leaves (config.cc).
Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info, double* value);
Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info, int64_t* value);
Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info,
                  uint64_t* value);
Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info, bool* value);
Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info,
                  std::string* value);
Status ReadName(const Node& node, const std::string& path, const FieldInfo& info, int* value);
Status FieldError(const Node& node, const std::string& path, std::string_view problem);
Status IntegerRange(const Node& node, const std::string& path, int64_t value, int64_t low,
                    int64_t high);
bool IsOff(const Node& node);
/// Checks that `node` is a map whose keys are all in `known`.
Status CheckKeys(const Node& node, const std::string& path, const std::vector<std::string>& known);
std::string QuoteYaml(std::string_view text);
std::string RangeText(const FieldInfo& info);

template <class T>
constexpr const char* TypeName() {
  if constexpr (std::is_same_v<T, bool>)
    return "true or false";
  else if constexpr (std::is_integral_v<T>)
    return "whole number";
  else if constexpr (std::is_floating_point_v<T>)
    return "number";
  else if constexpr (std::is_enum_v<T>)
    return "word";
  else if constexpr (IsVector<T>::value || IsArray<T>::value)
    return "list";
  else if constexpr (IsOptional<T>::value)
    return TypeName<typename T::value_type>();
  else
    return "text";
}

template <class T>
Status ReadValue(const Node& node, const std::string& path, const FieldInfo& info, T* value);

class Reader {
 public:
  Reader(const Node& node, std::string path) : node_(node), path_(std::move(path)) {}

  template <class T>
  void Field(const char* key, T& value, const FieldInfo& info) {
    known_.push_back(key);
    if (!status_.ok()) return;
    const std::string path = path_.empty() ? key : Cat(path_, ".", key);
    if (const Node* child = node_.Find(key)) {
      status_ = ReadValue(*child, path, info, &value);
    } else if (info.required && missing_.ok()) {
      missing_ = FieldError(node_, path, Cat("is missing; add '", key, ":' (", info.doc, ")"));
    }
  }

  /// An unknown key is reported before what is missing: it is often the misspelt field itself.
  Status Finish() {
    SAFERL_RETURN_IF_ERROR(CheckKeys(node_, path_, known_));
    SAFERL_RETURN_IF_ERROR(status_);
    return missing_;
  }

 private:
  const Node& node_;
  std::string path_;
  std::vector<std::string> known_;
  Status status_, missing_;
};

template <class T>
Status ReadStruct(const Node& node, const std::string& path, T* value) {
  if (!node.is_map() && !node.is_null()) {
    return FieldError(node, path,
                      Cat("expected a map, found ", node.KindName(), "; write key: value lines"));
  }
  Reader reader(node, path);
  T::Visit(reader, *value);
  SAFERL_RETURN_IF_ERROR(reader.Finish());
  if constexpr (requires(const T& t) { t.Check(); }) {
    if (Status status = value->Check(); !status.ok())
      return FieldError(node, path, Cat(status.message()));
  }
  return absl::OkStatus();
}

template <class T>
Status ReadValue(const Node& node, const std::string& path, const FieldInfo& info, T* value) {
  if constexpr (IsOptional<T>::value) {
    if (IsOff(node)) {
      value->reset();
      return absl::OkStatus();
    }
    typename T::value_type inner{};
    SAFERL_RETURN_IF_ERROR(ReadValue(node, path, info, &inner));
    *value = inner;
    return absl::OkStatus();
  } else if constexpr (IsVector<T>::value || IsArray<T>::value) {
    if (!node.is_list()) {
      return FieldError(node, path,
                        Cat("expected a list, found ", node.KindName(), "; write [a, b]"));
    }
    const size_t n = node.items().size();
    if constexpr (IsVector<T>::value) {
      if (n < info.min_size || n > info.max_size) {
        return FieldError(node, path,
                          Cat("has ", n, " elements; give ", info.min_size, " to ", info.max_size));
      }
      value->assign(n, typename T::value_type{});
    } else if (n != value->size()) {
      return FieldError(node, path, Cat("has ", n, " elements; give exactly ", value->size()));
    }
    for (size_t i = 0; i < n; ++i) {
      typename T::value_type element{};
      SAFERL_RETURN_IF_ERROR(ReadValue(node.items()[i], Cat(path, "[", i, "]"), info, &element));
      (*value)[i] = std::move(element);
    }
    return absl::OkStatus();
  } else if constexpr (std::is_enum_v<T>) {
    int position = 0;
    SAFERL_RETURN_IF_ERROR(ReadName(node, path, info, &position));
    *value = static_cast<T>(position);
    return absl::OkStatus();
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>) {
    return ReadScalar(node, path, info, value);
  } else if constexpr (std::is_floating_point_v<T>) {
    double wide = 0;
    SAFERL_RETURN_IF_ERROR(ReadScalar(node, path, info, &wide));
    *value = static_cast<T>(wide);
    return absl::OkStatus();
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    return ReadScalar(node, path, info, value);
  } else if constexpr (std::is_integral_v<T>) {
    int64_t wide = 0;
    SAFERL_RETURN_IF_ERROR(ReadScalar(node, path, info, &wide));
    SAFERL_RETURN_IF_ERROR(IntegerRange(node, path, wide,
                                        static_cast<int64_t>(std::numeric_limits<T>::min()),
                                        static_cast<int64_t>(std::numeric_limits<T>::max())));
    *value = static_cast<T>(wide);
    return absl::OkStatus();
  } else {
    return ReadStruct(node, path, value);
  }
}

}  // namespace internal

/// Reads T from a map node (a null node gives the defaults). `path` prefixes field names in
/// messages.
template <class T>
StatusOr<T> Read(const Node& node, const std::string& path = "") {
  T value{};
  SAFERL_RETURN_IF_ERROR(internal::ReadStruct(node, path, &value));
  return value;
}

}  // namespace saferl::config
