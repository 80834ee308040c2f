#pragma once
// MLflow's requests as JSON, and its errors (answers.h: what it answers when all is well). Errors
// name the field, as kInvalidArgument. RT: no.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/json.h"
#include "saferl/net/http.h"
#include "saferl/registry/records.h"
#include "saferl/services/mlflow/fields.h"

namespace saferl::services::mlflow {

/// The arguments of one request, from the query or the body. Only `fields` can be read; another
/// name throws, which the server answers with 500. `fields` outlives it.
class Arguments {
 public:
  static StatusOr<Arguments> Of(const net::Request& request, const Fields& fields);

  bool Has(std::string_view key) const;
  StatusOr<std::string> Text(std::string_view key) const;  ///< required, not empty
  StatusOr<std::string> TextOr(std::string_view key, std::string fallback) const;
  StatusOr<int64_t> Number(std::string_view key) const;  ///< required; digits or a text of digits
  StatusOr<int64_t> NumberOr(std::string_view key, int64_t fallback) const;
  StatusOr<bool> Truth(std::string_view key) const;  ///< required
  StatusOr<std::vector<std::string>> Texts(std::string_view key) const;
  StatusOr<std::vector<registry::Tag>> Tags() const;

 private:
  explicit Arguments(const Fields& fields) : fields_(&fields) {}
  const Fields* fields_;
  bool body_ = false;
  Node object_;
  std::vector<std::pair<std::string, std::string>> query_;
};

/// "models:/NAME/VERSION", "models:/NAME@ALIAS" or "sha256:DIGEST".
struct Source {
  std::string digest, model, ref;
};
StatusOr<Source> ParseSource(const std::string& source);

/// {"error_code":...,"message":...} with MLflow's status for it.
net::Response Error(const Status& status);
net::Response Error(int http_status, std::string_view detail);

}  // namespace saferl::services::mlflow
