#pragma once
// The other two uses of a config struct's field list: print its effective values, explain its
// fields (config.h).
//
// Print's text reads back (config::Read) to an equal struct. RT: no. Errors: none.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/config.h"

namespace saferl::config {

namespace internal {

template <class T>
std::string ScalarText(const T& value, const FieldInfo& info) {
  if constexpr (IsOptional<T>::value) {
    return value ? ScalarText(*value, info) : "off";
  } else if constexpr (std::is_enum_v<T>) {
    const size_t i = static_cast<size_t>(value);
    return i < info.names.size() ? info.names[i] : Cat(i);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return info.secret && !value.empty() ? "\"***\"" : QuoteYaml(value);
  } else {
    return Cat(value);
  }
}

template <class T>
inline constexpr bool kIsScalar = std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                                  std::is_same_v<T, std::string> || IsOptional<T>::value;

class Printer {
 public:
  Printer(std::string indent, bool comments) : indent_(std::move(indent)), comments_(comments) {}

  template <class T>
  void Field(const char* key, T& value, const FieldInfo& info) {
    text_ += Cat(indent_, key, ":");
    Value(value, info);
  }
  std::string Take() { return std::move(text_); }

 private:
  template <class T>
  void Value(T& value, const FieldInfo& info) {
    if constexpr (kIsScalar<T>) {
      text_ += Cat(" ", ScalarText(value, info), Comment(info), "\n");
    } else if constexpr (IsVector<T>::value || IsArray<T>::value) {
      List(value, info);
    } else {
      Printer inner(Cat(indent_, "  "), comments_);
      T::Visit(inner, value);
      const std::string text = inner.Take();
      text_ += text.empty() ? " {}\n" : Cat(Comment(info), "\n", text);
    }
  }

  template <class T>
  void List(T& value, const FieldInfo& info) {
    using Element = typename T::value_type;
    if constexpr (kIsScalar<Element>) {
      text_ += " [";
      bool first = true;
      for (const Element& element : value) {
        text_ += Cat(first ? "" : ", ", ScalarText(element, info));
        first = false;
      }
      text_ += Cat("]", Comment(info), "\n");
    } else {
      text_ += value.empty() ? " []\n" : Cat(Comment(info), "\n");
      for (Element& element : value) {
        if constexpr (IsVector<Element>::value || IsArray<Element>::value) {
          text_ += Cat(indent_, "  -");
          List(element, FieldInfo{.names = info.names});
        } else {
          Printer inner(Cat(indent_, "    "), false);
          Element::Visit(inner, element);
          std::string text = inner.Take();
          if (text.size() > indent_.size() + 2) text[indent_.size() + 2] = '-';
          text_ += text;
        }
      }
    }
  }

  std::string Comment(const FieldInfo& info) const {
    if (!comments_ || info.doc[0] == '\0') return "";
    return Cat("  # ", info.doc, info.unit[0] == '\0' ? "" : Cat(" [", info.unit, "]"));
  }

  std::string indent_;
  bool comments_;
  std::string text_;
};

class Explainer {
 public:
  Explainer(std::string prefix, std::vector<FieldDoc>* docs)
      : prefix_(std::move(prefix)), docs_(docs) {}

  template <class T>
  void Field(const char* key, T& value, const FieldInfo& info) {
    const std::string path = prefix_.empty() ? key : Cat(prefix_, ".", key);
    if constexpr (kIsScalar<T>) {
      std::string range = RangeText(info);
      if constexpr (IsOptional<T>::value) range += range.empty() ? "or off" : ", or off";
      docs_->push_back({path, TypeName<T>(), info.required ? "required" : ScalarText(value, info),
                        range, info.unit, info.doc});
    } else if constexpr (IsVector<T>::value || IsArray<T>::value) {
      using Element = typename T::value_type;
      docs_->push_back(
          {path, "list", info.required ? "required" : "", RangeText(info), info.unit, info.doc});
      if constexpr (!kIsScalar<Element> && !IsVector<Element>::value && !IsArray<Element>::value) {
        Element element{};
        Explainer inner(Cat(path, "[]"), docs_);
        Element::Visit(inner, element);
      }
    } else {
      docs_->push_back({path, "map", info.required ? "required" : "", "", "", info.doc});
      Explainer inner(path, docs_);
      T::Visit(inner, value);
    }
  }

 private:
  std::string prefix_;
  std::vector<FieldDoc>* docs_;
};

}  // namespace internal

/// YAML with every field's effective value, documented by comments when asked for.
template <class T>
std::string Print(const T& value, bool comments = false) {
  T copy = value;
  internal::Printer printer("", comments);
  T::Visit(printer, copy);
  return printer.Take();
}

/// One row per field, nested fields by dotted path, with the values of `value` (the struct's
/// defaults when it is not given); secrets are hidden.
template <class T>
std::vector<FieldDoc> Explain(T value = {}) {
  std::vector<FieldDoc> docs;
  internal::Explainer explainer("", &docs);
  T::Visit(explainer, value);
  return docs;
}

}  // namespace saferl::config
