#pragma once
// The arguments of MLflow's requests: what a route takes, said once. Arguments (message.h) reads
// from it, and the OpenAPI document is made of it. RT: no.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "saferl/net/router.h"

namespace saferl::services::mlflow {

/// kNumber: also a text of digits, as MLflow's own client sends it. kTags: objects {key, value}.
enum class Kind : uint8_t { kText, kNumber, kTruth, kTexts, kTags };

struct Field {
  const char* name = nullptr;
  Kind kind = Kind::kText;
  bool required = false;
  const char* doc = "";
};

/// Those of a route; the rest has no name.
using Fields = std::array<Field, 8>;
const Field* FindField(const Fields& fields, std::string_view name);

/// For the document: as a JSON object, and as a query.
std::string BodySchema(const Fields& fields);
std::vector<net::FieldSpec> QueryFields(const Fields& fields);

}  // namespace saferl::services::mlflow
