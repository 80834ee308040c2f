#include "saferl/base/json_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

/// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
bool IsNumber(std::string_view word) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t start = i;
    while (i < word.size() && word[i] >= '0' && word[i] <= '9') ++i;
    return i - start;
  };
  const auto take = [&](char a, char b) {
    if (i >= word.size() || (word[i] != a && word[i] != b)) return false;
    ++i;
    return true;
  };
  take('-', '-');
  const bool zero = i < word.size() && word[i] == '0';
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (take('.', '.') && digits() == 0) return false;
  if (take('e', 'E')) {
    take('+', '-');
    if (digits() == 0) return false;
  }
  return i == word.size();
}

bool EndsWord(char c) {
  switch (c) {
    case ',':
    case ']':
    case '}':
    case ':':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '"':
    case '[':
    case '{':
      return true;
    default:
      return false;
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// So many digits are a whole number that double holds exactly, and so is 10 to that power: their
/// quotient is the nearest double, as from_chars gives it.
constexpr size_t kExactDigits = 15;
constexpr double kPowers[kExactDigits + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

}  // namespace

int JsonReader::line() {
  for (; counted_ < at_; ++counted_) line_ += text_[counted_] == '\n' ? 1 : 0;
  return line_;
}

Status JsonReader::Fail(std::string_view problem) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(Cat(name_, ":", line(), ": ", problem));
  return status_;
}

void JsonReader::SkipSpace() {
  while (!Done() && IsSpace(text_[at_])) ++at_;
}

JsonReader::Kind JsonReader::Peek() {
  if (!status_.ok()) return Kind::kNone;
  SkipSpace();
  switch (Char()) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 'n':
      return Kind::kNull;
    case 't':
    case 'f':
      return Kind::kBool;
    case '-':
      return Kind::kNumber;
    default:
      return Char() >= '0' && Char() <= '9' ? Kind::kNumber : Kind::kNone;
  }
}

Status JsonReader::Open(char bracket, std::string_view what) {
  SAFERL_RETURN_IF_ERROR(status_);
  SkipSpace();
  if (Char() != bracket) return Fail(Cat("expected ", what, "; check what stands here"));
  if (static_cast<int>(levels_.size()) >= max_depth_)
    return Fail(Cat("nested deeper than ", max_depth_, "; flatten it"));
  ++at_;
  levels_.push_back({bracket == '{', true});
  return absl::OkStatus();
}

Status JsonReader::BeginObject() { return Open('{', "an object"); }
Status JsonReader::BeginArray() { return Open('[', "a list"); }

bool JsonReader::NextElement(char closing) {
  if (!status_.ok() || levels_.empty()) return false;
  SkipSpace();
  const bool first = levels_.back().first;
  if (Char() == closing) {
    ++at_;
    levels_.pop_back();
    return false;
  }
  levels_.back().first = false;
  if (first) return true;
  if (Char() != ',') {
    (void)Fail(Cat("expected ',' or '", std::string(1, closing),
                   "'; check for a missing comma or bracket"));
    return false;
  }
  ++at_;
  return true;
}

bool JsonReader::NextKey(std::string* key) {
  if (!NextElement('}')) return false;
  SkipSpace();
  if (Char() != '"') {
    (void)Fail("expected a key in double quotes; quote the key");
    return false;
  }
  if (!String(key).ok()) return false;
  SkipSpace();
  if (Char() != ':') {
    (void)Fail(Cat("expected ':' after key '", JsonEscape(*key), "'; add it"));
    return false;
  }
  ++at_;
  return true;
}

bool JsonReader::NextItem() { return NextElement(']'); }

Status JsonReader::Hex4(uint32_t* code) {
  if (text_.size() - at_ < 4) return Fail("\\u needs four hexadecimal digits; complete it");
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, *code, 16);
  if (error != std::errc() || end != begin + 4)
    return Fail("\\u needs four hexadecimal digits; correct it");
  at_ += 4;
  return absl::OkStatus();
}

Status JsonReader::Unicode(std::string* out) {
  uint32_t code = 0;
  SAFERL_RETURN_IF_ERROR(Hex4(&code));
  if (code >= 0xd800 && code < 0xdc00) {
    uint32_t low = 0;
    if (text_.substr(at_, 2) != "\\u") return Fail("half a surrogate pair; write both halves");
    at_ += 2;
    SAFERL_RETURN_IF_ERROR(Hex4(&low));
    if (low < 0xdc00 || low > 0xdfff) return Fail("half a surrogate pair; write both halves");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code < 0xe000) {
    return Fail("half a surrogate pair; write both halves");
  }
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
  return absl::OkStatus();
}

/// One character beyond ASCII: well-formed UTF-8 as in table 3-7 of the Unicode standard.
Status JsonReader::Utf8(std::string* out) {
  const auto byte = [&](size_t i) {
    return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0U;
  };
  const unsigned lead = byte(0);
  size_t n = 0;
  unsigned low = 0x80, high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) n = 2;
  if (lead >= 0xe0 && lead <= 0xef) n = 3;
  if (lead >= 0xf0 && lead <= 0xf4) n = 4;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  bool good = n > 0 && byte(1) >= low && byte(1) <= high;
  for (size_t i = 2; i < n; ++i) good = good && byte(i) >= 0x80 && byte(i) <= 0xbf;
  if (!good) return Fail("a text that is not UTF-8; encode it as UTF-8");
  out->append(text_, at_, n);
  at_ += n;
  return absl::OkStatus();
}

Status JsonReader::String(std::string* out) {
  SAFERL_RETURN_IF_ERROR(status_);
  SkipSpace();
  if (Char() != '"') return Fail("expected a text; put it in double quotes");
  ++at_;
  out->clear();
  while (true) {
    const size_t start = at_;
    while (!Done() && text_[at_] != '"' && text_[at_] != '\\' &&
           static_cast<unsigned char>(text_[at_]) >= 0x20 &&
           static_cast<unsigned char>(text_[at_]) < 0x80)
      ++at_;
    out->append(text_, start, at_ - start);
    if (Done()) return Fail("text without a closing quote; close it");
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') {
      ++at_;
      return absl::OkStatus();
    }
    if (c < 0x20) return Fail("control character in a text; escape it");
    if (c >= 0x80) {
      SAFERL_RETURN_IF_ERROR(Utf8(out));
      continue;
    }
    ++at_;
    if (Done()) return Fail("text without a closing quote; close it");
    const char escape = text_[at_++];
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const size_t i = kFrom.find(escape); i != std::string_view::npos) {
      out->push_back(kTo[i]);
    } else if (escape == 'u') {
      SAFERL_RETURN_IF_ERROR(Unicode(out));
    } else {
      return Fail(
          Cat("unknown escape '\\", JsonEscape(std::string(1, escape)), "'; remove the backslash"));
    }
  }
}

Status JsonReader::Word(std::string_view* word) {
  SAFERL_RETURN_IF_ERROR(status_);
  SkipSpace();
  const size_t start = at_;
  while (!Done() && !EndsWord(text_[at_])) ++at_;
  *word = text_.substr(start, at_ - start);
  if (word->empty()) return Fail("expected a value; add it or remove the comma before it");
  if (IsNumber(*word) || *word == "null" || *word == "true" || *word == "false")
    return absl::OkStatus();
  return Fail(
      Cat("'", JsonEscape(word->substr(0, 40)), "' is no JSON value; quote it if it is a text"));
}

/// The number at `*at`, which moves behind it, in one pass over its text. False: what is there is
/// no number, or none that double holds; Number says what is wrong with it.
bool JsonReader::TakeNumber(size_t* at, double* value) const {
  const char* const start = text_.data() + *at;
  const char* const end = text_.data() + text_.size();
  const char* p = start;
  uint64_t digits = 0;  // wraps where there are too many, and is not used then
  const auto take = [&] {
    const char* const first = p;
    for (; p != end && IsDigit(*p); ++p) digits = digits * 10 + static_cast<uint64_t>(*p - '0');
    return static_cast<size_t>(p - first);
  };
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  const bool zero = p != end && *p == '0';
  const size_t whole = take();
  if (whole == 0 || (zero && whole > 1)) return false;
  size_t fraction = 0;
  if (p != end && *p == '.') {
    ++p;
    fraction = take();
    if (fraction == 0) return false;
  }
  const bool plain = whole + fraction <= kExactDigits;
  const bool power = p != end && (*p == 'e' || *p == 'E');
  if (power) {
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    if (take() == 0) return false;
  }
  if (p != end && !EndsWord(*p)) return false;
  if (plain && !power) {
    *value = static_cast<double>(digits) / kPowers[fraction];
    if (negative) *value = -*value;
  } else {
    const auto [stop, error] = std::from_chars(start, p, *value);
    if (error != std::errc() || stop != p || !std::isfinite(*value)) return false;
  }
  *at += static_cast<size_t>(p - start);
  return true;
}

Status JsonReader::Number(double* value) {
  SAFERL_RETURN_IF_ERROR(status_);
  SkipSpace();
  if (TakeNumber(&at_, value)) return absl::OkStatus();
  std::string_view word;
  SAFERL_RETURN_IF_ERROR(Word(&word));
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
  if (error == std::errc::result_out_of_range || (error == std::errc() && !std::isfinite(*value)))
    return Fail(Cat("'", word.substr(0, 40), "' is too large or too small for a number"));
  if (error != std::errc() || end != word.data() + word.size())
    return Fail(Cat("expected a number, found '", JsonEscape(word.substr(0, 40)), "'"));
  return absl::OkStatus();
}

Status JsonReader::Integer(int64_t* value) {
  std::string_view word;
  SAFERL_RETURN_IF_ERROR(Word(&word));
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
  if (error != std::errc() || end != word.data() + word.size())
    return Fail(
        Cat("expected a whole number of 64 bits, found '", JsonEscape(word.substr(0, 40)), "'"));
  return absl::OkStatus();
}

Status JsonReader::Bool(bool* value) {
  std::string_view word;
  SAFERL_RETURN_IF_ERROR(Word(&word));
  if (word != "true" && word != "false")
    return Fail(Cat("expected true or false, found '", JsonEscape(word.substr(0, 40)), "'"));
  *value = word == "true";
  return absl::OkStatus();
}

Status JsonReader::Null() {
  std::string_view word;
  SAFERL_RETURN_IF_ERROR(Word(&word));
  return word == "null" ? absl::OkStatus()
                        : Fail(Cat("expected null, found '", JsonEscape(word.substr(0, 40)), "'"));
}

Status JsonReader::Skip() {
  const size_t outside = levels_.size();
  std::string text;
  std::string_view word;
  do {
    switch (Peek()) {
      case Kind::kObject:
        SAFERL_RETURN_IF_ERROR(BeginObject());
        break;
      case Kind::kArray:
        SAFERL_RETURN_IF_ERROR(BeginArray());
        break;
      case Kind::kString:
        SAFERL_RETURN_IF_ERROR(String(&text));
        break;
      default:
        SAFERL_RETURN_IF_ERROR(Word(&word));
    }
    // Leaves every bracket that is complete, up to the next element of one that is not.
    while (levels_.size() > outside) {
      if (levels_.back().object ? NextKey(&text) : NextItem()) break;
      SAFERL_RETURN_IF_ERROR(status_);
    }
  } while (levels_.size() > outside);
  return status_;
}

template <class T>
Status JsonReader::Numbers(std::vector<T>* values) {
  const size_t outside = levels_.size();
  SAFERL_RETURN_IF_ERROR(BeginArray());
  while (levels_.size() > outside) {
    if (!NextItem()) {
      SAFERL_RETURN_IF_ERROR(status_);
      continue;
    }
    SkipSpace();
    if (Char() == '[') {
      SAFERL_RETURN_IF_ERROR(BeginArray());
      continue;
    }
    if constexpr (std::integral<T>) {
      int64_t value = 0;
      SAFERL_RETURN_IF_ERROR(Integer(&value));
      values->push_back(value);
    } else {
      double value = 0;
      SAFERL_RETURN_IF_ERROR(Number(&value));
      if (std::abs(value) > static_cast<double>(std::numeric_limits<T>::max()))
        return Fail(Cat(value, " is too large for this type"));
      values->push_back(static_cast<T>(value));
    }
  }
  return absl::OkStatus();
}

template Status JsonReader::Numbers(std::vector<float>* values);
template Status JsonReader::Numbers(std::vector<double>* values);
template Status JsonReader::Numbers(std::vector<int64_t>* values);

template <class T>
size_t JsonReader::Reals(std::span<T> values) {
  if (!status_.ok() || levels_.empty() || levels_.back().object) return 0;
  constexpr double kMax = static_cast<double>(std::numeric_limits<T>::max());
  const auto skip = [this](size_t at) {
    while (at < text_.size() && IsSpace(text_[at])) ++at;
    return at;
  };
  size_t taken = 0;
  bool first = levels_.back().first;
  while (taken < values.size()) {
    size_t at = skip(at_);
    if (!first) {
      if (at >= text_.size() || text_[at] != ',') break;
      at = skip(at + 1);
    }
    double value = 0;
    if (!TakeNumber(&at, &value) || std::abs(value) > kMax) break;
    values[taken++] = static_cast<T>(value);
    at_ = at;
    first = false;
  }
  levels_.back().first = first;
  return taken;
}

template size_t JsonReader::Reals(std::span<float> values);
template size_t JsonReader::Reals(std::span<double> values);

Status JsonReader::Finish() {
  SAFERL_RETURN_IF_ERROR(status_);
  if (!levels_.empty()) return Fail("a bracket is not closed; close it");
  SkipSpace();
  return Done() ? absl::OkStatus() : Fail("text after the end of the value; remove it");
}

}  // namespace saferl
