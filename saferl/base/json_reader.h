#pragma once
// JsonReader: strict JSON (RFC 8259) read in one pass, without a tree. ParseJson is built on it;
// hot paths (inference requests) read straight into their own structs.
//
//   JsonReader r(text, "body");
//   SAFERL_RETURN_IF_ERROR(r.BeginObject());
//   while (r.NextKey(&key)) {                       // false at '}' or on an error
//     if (key == "x") SAFERL_RETURN_IF_ERROR(r.Number(&x)); else SAFERL_RETURN_IF_ERROR(r.Skip());
//   }
//   return r.Finish();                              // the first error, or text after the value
// Checks: UTF-8, escapes, surrogate pairs, numbers by the grammar, depth. Duplicate keys are the
// caller's to check (ParseJson does).
// Errors: kInvalidArgument "name:line: problem; next step"; the first one stays. RT: no.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl {

class JsonReader {
 public:
  enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject, kNone };

  /// `text` and `name` must outlive the reader.
  JsonReader(std::string_view text, std::string_view name, int max_depth = 64)
      : text_(text), name_(name), max_depth_(max_depth) {}

  /// What comes next; kNone at the end or where no value can start.
  Kind Peek();

  Status BeginObject();
  bool NextKey(std::string* key);
  Status BeginArray();
  bool NextItem();

  Status String(std::string* value);
  Status Number(double* value);
  Status Integer(int64_t* value);  ///< no fraction, no exponent
  Status Bool(bool* value);
  Status Null();
  /// The text of the next null, true, false or number, checked.
  Status Word(std::string_view* word);
  Status Skip();
  /// Numbers of a flat or nested list, row by row, appended to `values`.
  template <class T>
  Status Numbers(std::vector<T>* values);
  /// The numbers that come next in the list, as many as `values` takes; stops, without an error,
  /// before whatever NextItem and Number would not read as a number that T holds. Returns how many.
  template <class T>
  size_t Reals(std::span<T> values);

  /// OK when everything was well and nothing is left.
  Status Finish();
  const Status& status() const { return status_; }
  Status Fail(std::string_view problem);
  int line();

 private:
  bool Done() const { return at_ >= text_.size(); }
  char Char() const { return Done() ? '\0' : text_[at_]; }
  void SkipSpace();
  Status Open(char bracket, std::string_view what);
  bool NextElement(char closing);
  bool TakeNumber(size_t* at, double* value) const;
  Status Unicode(std::string* out);
  Status Hex4(uint32_t* code);
  Status Utf8(std::string* out);

  std::string_view text_, name_;
  int max_depth_;
  size_t at_ = 0, counted_ = 0;  ///< line_ is the line of counted_
  int line_ = 1;
  Status status_ = absl::OkStatus();
  struct Level {
    bool object, first;  ///< first: nothing read in it yet
  };
  std::vector<Level> levels_;
};

extern template Status JsonReader::Numbers(std::vector<float>* values);
extern template Status JsonReader::Numbers(std::vector<double>* values);
extern template Status JsonReader::Numbers(std::vector<int64_t>* values);
extern template size_t JsonReader::Reals(std::span<float> values);
extern template size_t JsonReader::Reals(std::span<double> values);

}  // namespace saferl
