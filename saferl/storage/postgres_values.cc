#include "saferl/storage/postgres_values.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <concepts>
#include <utility>

#include "saferl/base/text.h"

namespace saferl::storage {
namespace {

// pg_type.oid of the types that travel.
enum Type : uint32_t {
  kBool = 16,
  kBytea = 17,
  kChar = 18,
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kOid = 26,
  kFloat4 = 700,
  kFloat8 = 701,
  kUnknown = 705,
  kBpchar = 1042,
  kVarchar = 1043,
  kNumeric = 1700,
};

template <std::unsigned_integral U>
void AppendBigEndian(U number, std::string* out) {
  for (size_t i = sizeof(U); i-- > 0;) out->push_back(static_cast<char>(number >> (8 * i)));
}

template <std::unsigned_integral U>
U BigEndian(std::string_view bytes) {
  U number = 0;
  for (size_t i = 0; i < sizeof(U) && i < bytes.size(); ++i) {
    number = static_cast<U>((number << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return number;
}

/// numeric: digits to base 10000 with the weight of the first, a sign, digits after the point.
StatusOr<Value> Numeric(std::string_view bytes) {
  const auto word = [&](size_t i) { return BigEndian<uint16_t>(bytes.substr(2 * i)); };
  if (bytes.size() < 8 || bytes.size() != 8 + 2 * size_t{word(0)}) {
    return absl::InternalError("postgresql: a numeric value of the wrong length");
  }
  const int count = word(0), weight = static_cast<int16_t>(word(1)), scale = word(3);
  if (word(2) != 0 && word(2) != 0x4000) {
    return absl::InvalidArgumentError(
        "postgresql: a numeric value is no number; CAST it to text or double precision");
  }
  std::string text = word(2) == 0x4000 ? "-" : "";
  for (int i = 0; i < std::max(count, weight + 1); ++i) {
    if (i == weight + 1) text += i == 0 ? "0." : ".";
    const int digits = i < count ? word(4 + static_cast<size_t>(i)) : 0;
    const std::string four = Cat(digits);
    text += std::string(4 - four.size(), '0') + four;
  }
  if (weight < -1) {  // zeros between the point and the first digits
    const std::string sign = text.starts_with('-') ? "-" : "";
    text = Cat(sign, "0.", std::string(static_cast<size_t>(-weight - 1) * 4, '0'),
               text.substr(sign.size()));
  }
  if (text.empty() || text == "-") text += "0";
  int64_t whole = 0;
  const char* end = text.data() + text.size();
  if (scale == 0) {
    const auto [at, error] = std::from_chars(text.data(), end, whole);
    if (error == std::errc() && at == end) return whole;
  }
  double number = 0;
  std::from_chars(text.data(), end, number);
  return number;
}

struct CodeRow {
  std::string_view prefix;  ///< of the SQLSTATE: two characters are its class
  absl::StatusCode code;
};

// The first that fits.
constexpr CodeRow kCodes[] = {
    {"23505", absl::StatusCode::kAlreadyExists},     // unique_violation
    {"23", absl::StatusCode::kFailedPrecondition},   // other integrity constraints
    {"40001", absl::StatusCode::kAborted},           // serialization_failure
    {"40P01", absl::StatusCode::kAborted},           // deadlock_detected
    {"40003", absl::StatusCode::kUnknown},           // statement_completion_unknown
    {"55P03", absl::StatusCode::kUnavailable},       // lock_not_available
    {"57", absl::StatusCode::kUnavailable},          // too slow, shutdown, crash, starting up
    {"53", absl::StatusCode::kUnavailable},          // disk full, memory, connections
    {"58", absl::StatusCode::kUnavailable},          // I/O outside of the server
    {"08P01", absl::StatusCode::kInvalidArgument},   // protocol_violation: parameters
    {"08", absl::StatusCode::kUnavailable},          // connection
    {"25P03", absl::StatusCode::kUnavailable},       // idle in transaction: session ended
    {"25", absl::StatusCode::kInvalidArgument},      // read only, transaction state
    {"28", absl::StatusCode::kPermissionDenied},     // password, pg_hba.conf
    {"42501", absl::StatusCode::kPermissionDenied},  // insufficient_privilege
    {"42", absl::StatusCode::kInvalidArgument},      // syntax, unknown names, types
    {"22", absl::StatusCode::kInvalidArgument},      // values out of range
    {"0A", absl::StatusCode::kInvalidArgument},      // not supported
    {"2D", absl::StatusCode::kInvalidArgument},      // transaction termination
    {"54", absl::StatusCode::kInvalidArgument},      // too complex
    {"3D000", absl::StatusCode::kNotFound},          // no such database
    {"3F000", absl::StatusCode::kNotFound},          // no such schema
    {"XX001", absl::StatusCode::kDataLoss},          // data_corrupted
    {"XX002", absl::StatusCode::kDataLoss},          // index_corrupted
};

}  // namespace

uint32_t PostgresTypeOf(const Value& value) {
  constexpr uint32_t kTypes[] = {0, kInt8, kFloat8, kText, kBytea};
  return kTypes[value.index()];
}

std::string_view PostgresBytes(const Value& value, std::string* scratch) {
  scratch->clear();
  if (const auto* i = std::get_if<int64_t>(&value)) {
    AppendBigEndian(static_cast<uint64_t>(*i), scratch);
    return *scratch;
  }
  if (const auto* d = std::get_if<double>(&value)) {
    AppendBigEndian(std::bit_cast<uint64_t>(*d), scratch);
    return *scratch;
  }
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* blob = std::get_if<Blob>(&value)) return blob->bytes;
  return {};
}

StatusOr<Value> PostgresValue(uint32_t type, std::string_view bytes) {
  switch (type) {
    case kBool:
      return Value(int64_t{!bytes.empty() && bytes[0] != 0});
    case kInt2:
      return Value(int64_t{static_cast<int16_t>(BigEndian<uint16_t>(bytes))});
    case kInt4:
      return Value(int64_t{static_cast<int32_t>(BigEndian<uint32_t>(bytes))});
    case kOid:
      return Value(int64_t{BigEndian<uint32_t>(bytes)});
    case kInt8:
      return Value(static_cast<int64_t>(BigEndian<uint64_t>(bytes)));
    case kFloat4:
      return Value(double{std::bit_cast<float>(BigEndian<uint32_t>(bytes))});
    case kFloat8:
      return Value(std::bit_cast<double>(BigEndian<uint64_t>(bytes)));
    case kNumeric:
      return Numeric(bytes);
    case kBytea:
      return Value(Blob{std::string(bytes)});
    case kText:
    case kVarchar:
    case kBpchar:
    case kName:
    case kChar:
    case kUnknown:
      return Value(std::string(bytes));
    default:
      return absl::InvalidArgumentError(
          Cat("postgresql: a column of the type with oid ", type, "; CAST it to text"));
  }
}

absl::StatusCode PostgresCode(std::string_view sqlstate) {
  const auto* row = std::find_if(std::begin(kCodes), std::end(kCodes),
                                 [&](const CodeRow& r) { return sqlstate.starts_with(r.prefix); });
  return row == std::end(kCodes) ? absl::StatusCode::kInternal : row->code;
}

}  // namespace saferl::storage
