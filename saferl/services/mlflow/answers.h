#pragma once
// MLflow's answers. Each object is one list of fields with their types, from which both the answer
// and its schema in the OpenAPI document are made. RT: no.

#include <cstdint>
#include <string>
#include <vector>

#include "saferl/base/json.h"
#include "saferl/registry/records.h"

namespace saferl::services::mlflow {

void Write(const registry::Version& version, JsonWriter* w);
void Write(const registry::Model& model, const std::vector<registry::Version>& latest,
           JsonWriter* w);
/// {"error_code":...,"message":...}
std::string ErrorBody(const std::string& code, const std::string& message);

/// What a route answers when all is well. Lists are left out when they are empty.
enum class Answer : uint8_t { kModel, kModels, kVersion, kVersions, kUri, kNothing };
std::string SchemaOf(Answer answer);
std::string ErrorSchema();

}  // namespace saferl::services::mlflow
