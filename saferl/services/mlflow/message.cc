#include "saferl/services/mlflow/message.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "saferl/base/text.h"
#include "saferl/services/mlflow/answers.h"
#include "saferl/storage/objects.h"

namespace saferl::services::mlflow {
namespace {

constexpr ParseLimits kLimits{.max_bytes = size_t{1} << 20, .max_nodes = 50'000, .max_depth = 16};

Status Bad(std::string_view field, std::string_view problem) {
  return absl::InvalidArgumentError(Cat(field, ": ", problem));
}

StatusOr<int64_t> ToNumber(std::string_view key, const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  if (text.empty() ||
      std::from_chars(text.data(), end, number) != std::from_chars_result{end, std::errc()})
    return Bad(key, Cat("'", JsonEscape(text.substr(0, 40)), "' is no whole number"));
  return number;
}

const char* CodeName(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return "INVALID_PARAMETER_VALUE";
    case absl::StatusCode::kNotFound:
      return "RESOURCE_DOES_NOT_EXIST";
    case absl::StatusCode::kAlreadyExists:
      return "RESOURCE_ALREADY_EXISTS";
    case absl::StatusCode::kFailedPrecondition:
      return "RESOURCE_CONFLICT";
    case absl::StatusCode::kAborted:
      return "ABORTED";
    case absl::StatusCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case absl::StatusCode::kUnauthenticated:
      return "UNAUTHENTICATED";
    case absl::StatusCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return "TEMPORARILY_UNAVAILABLE";
    default:
      return "INTERNAL_ERROR";
  }
}

int HttpCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kAlreadyExists:
      return 400;  // MLflow's own choice for RESOURCE_ALREADY_EXISTS
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kDeadlineExceeded:
      return 503;
    default:
      return net::HttpStatus(code);
  }
}

net::Response Error(int http_status, std::string_view code, std::string_view message) {
  net::Response response =
      net::Response::Json(ErrorBody(std::string(code), std::string(message)), http_status);
  if (http_status == 429 || http_status == 503) response.headers.Set("Retry-After", "1");
  return response;
}

}  // namespace

StatusOr<Arguments> Arguments::Of(const net::Request& request, const Fields& fields) {
  Arguments arguments(fields);
  if (request.method == net::Method::kGet) {
    arguments.query_ = request.query;
    return arguments;
  }
  arguments.body_ = true;
  SAFERL_ASSIGN_OR_RETURN(arguments.object_,
                          ParseJson(request.body.empty() ? "{}" : request.body, "body", kLimits));
  if (!arguments.object_.is_map()) return Bad("body", "is not a JSON object");
  return arguments;
}

bool Arguments::Has(std::string_view key) const {
  if (FindField(*fields_, key) == nullptr)
    throw std::logic_error(Cat("a handler reads '", key, "', which its route does not list"));
  if (body_) {
    const Node* node = object_.Find(key);
    return node != nullptr && !node->is_null();
  }
  return std::any_of(query_.begin(), query_.end(), [&](const auto& q) { return q.first == key; });
}

StatusOr<std::string> Arguments::TextOr(std::string_view key, std::string fallback) const {
  if (!Has(key)) return fallback;
  if (!body_) {
    return std::find_if(query_.begin(), query_.end(), [&](const auto& q) { return q.first == key; })
        ->second;
  }
  const Node* node = object_.Find(key);
  if (!node->is_scalar() || !node->quoted())
    return Bad(key, Cat("is ", node->KindName(), ", not a text"));
  return node->text();
}

StatusOr<std::string> Arguments::Text(std::string_view key) const {
  SAFERL_ASSIGN_OR_RETURN(std::string text, TextOr(key, ""));
  if (text.empty()) return Bad(key, "is missing");
  return text;
}

StatusOr<int64_t> Arguments::NumberOr(std::string_view key, int64_t fallback) const {
  if (!Has(key)) return fallback;
  if (!body_) {
    SAFERL_ASSIGN_OR_RETURN(const std::string text, TextOr(key, ""));
    return ToNumber(key, text);
  }
  const Node* node = object_.Find(key);
  if (!node->is_scalar()) return Bad(key, Cat("is ", node->KindName(), ", not a number"));
  return ToNumber(key, node->text());
}

StatusOr<int64_t> Arguments::Number(std::string_view key) const {
  if (!Has(key)) return Bad(key, "is missing");
  return NumberOr(key, 0);
}

StatusOr<bool> Arguments::Truth(std::string_view key) const {
  if (!Has(key)) return Bad(key, "is missing");
  const Node* node = object_.Find(key);
  const StatusOr<bool> truth = node->AsBool();
  if (!truth.ok()) return Bad(key, "is neither true nor false");
  return *truth;
}

StatusOr<std::vector<std::string>> Arguments::Texts(std::string_view key) const {
  std::vector<std::string> texts;
  if (!Has(key)) return texts;
  if (!body_) {
    for (const auto& [name, value] : query_) {
      if (name == key) texts.push_back(value);
    }
    return texts;
  }
  const Node* node = object_.Find(key);
  if (!node->is_list()) return Bad(key, Cat("is ", node->KindName(), ", not a list"));
  for (const Node& item : node->items()) {
    if (!item.is_scalar() || !item.quoted()) return Bad(key, "is a list of texts");
    texts.push_back(item.text());
  }
  return texts;
}

StatusOr<std::vector<registry::Tag>> Arguments::Tags() const {
  std::vector<registry::Tag> tags;
  if (!Has("tags")) return tags;
  const Node* node = object_.Find("tags");
  if (!node->is_list()) return Bad("tags", Cat("is ", node->KindName(), ", not a list"));
  for (const Node& item : node->items()) {
    const Node *key = item.Find("key"), *value = item.Find("value");
    if (key == nullptr || !key->quoted() || (value != nullptr && !value->quoted()))
      return Bad("tags", "each is an object with the texts key and value");
    tags.push_back({key->text(), value == nullptr ? "" : value->text()});
  }
  return tags;
}

StatusOr<Source> ParseSource(const std::string& text) {
  constexpr std::string_view kDigest = "sha256:", kModels = "models:/";
  Source source;
  if (text.starts_with(kDigest) && storage::IsDigest(text.substr(kDigest.size()))) {
    source.digest = text.substr(kDigest.size());
    return source;
  }
  if (text.starts_with(kModels)) {
    const std::string rest = text.substr(kModels.size());
    const size_t cut = rest.find_first_of("/@");
    if (cut != std::string::npos && cut + 1 < rest.size()) {
      source.model = rest.substr(0, cut);
      source.ref = rest.substr(cut + 1);
      return source;
    }
  }
  return Bad("source", Cat("'", JsonEscape(text.substr(0, 80)),
                           "' is not taken: this registry opens no path and fetches no URL. Push "
                           "the package (saferl registry push), then give sha256:DIGEST or "
                           "models:/NAME/VERSION"));
}

net::Response Error(const Status& status) {
  const bool ours = std::string_view(CodeName(status.code())) == "INTERNAL_ERROR";
  return Error(
      HttpCode(status.code()), CodeName(status.code()),
      ours ? std::string("an error of the server; its log says which") : Cat(status.message()));
}

net::Response Error(int http_status, std::string_view detail) {
  const char* code = http_status == 404 || http_status == 405 ? "ENDPOINT_NOT_FOUND"
                     : http_status == 503                     ? "TEMPORARILY_UNAVAILABLE"
                     : http_status == 401                     ? "UNAUTHENTICATED"
                     : http_status == 403                     ? "PERMISSION_DENIED"
                     : http_status == 429                     ? "RESOURCE_EXHAUSTED"
                     : http_status >= 500                     ? "INTERNAL_ERROR"
                                                              : "INVALID_PARAMETER_VALUE";
  return Error(http_status, code, detail);
}

}  // namespace saferl::services::mlflow
