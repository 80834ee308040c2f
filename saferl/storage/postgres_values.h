#pragma once
// PostgreSQL's binary format of the values that Database knows, and what its error codes mean here.
// RT: no. Source: PostgreSQL documentation, "Frontend/Backend Protocol" and appendix A.

#include <cstdint>
#include <string>
#include <string_view>

#include "saferl/base/status.h"
#include "saferl/storage/database.h"

namespace saferl::storage {

/// The type that a parameter is sent as: bigint, double precision, text, bytea, or 0 for null: the
/// server then takes it from the context.
uint32_t PostgresTypeOf(const Value& value);

/// The bytes of a parameter; `scratch` holds those of a number. Null has none.
std::string_view PostgresBytes(const Value& value, std::string* scratch);

/// A column's value from its bytes.
StatusOr<Value> PostgresValue(uint32_t type, std::string_view bytes);

/// The canonical code of an SQLSTATE ("23505").
absl::StatusCode PostgresCode(std::string_view sqlstate);

}  // namespace saferl::storage
