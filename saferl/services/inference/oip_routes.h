#pragma once
// The Open Inference Protocol v2 over HTTP: health, metadata, inference (JSON, binary, raw),
// statistics, model configuration and the model repository, in the union of the shapes that
// Triton's, KServe's and MLServer's clients accept.
//
// Errors: {"error": "..."} with application/json and nothing after it; 400 bad request, 404 unknown
// model or version, 503 not ready. `ready` says whether the process takes work.
// Source: kserve/open-inference-protocol; Triton's extensions statistics, model_configuration,
//   model_repository, binary_tensor_data; facts about their clients in docs/inference.md.

#include <functional>
#include <string>

#include "saferl/net/router.h"
#include "saferl/services/inference/engine.h"

namespace saferl::services {

struct OipOptions {
  std::string server_name = "saferl", server_version;
  std::function<bool()> ready = [] { return true; };
  /// Brings a model's versions from where they are kept into the host (repository load).
  std::function<Status(const std::string& name)> load;
};

void AddOipRoutes(const OipOptions& options, Engine* engine, net::Router* router);

/// The extensions that are really there; served by REST and gRPC.
std::vector<std::string> OipExtensions();
/// Repository load, of a request with parameters of these names: what it says of the model's files
/// is refused, a model comes from the source alone.
Status LoadModel(const OipOptions& options, const std::string& name,
                 const std::vector<std::string>& parameters);
/// "TYPE_FP32"; BYTES is TYPE_STRING there.
std::string ConfigTypeName(DataType type);
/// Model configuration as Triton's clients read it.
std::string ModelConfigJson(const ServedModel& model);

}  // namespace saferl::services
