#include "saferl/registry/bundle.h"

#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/registry/base64.h"

namespace saferl::registry {
namespace {

constexpr std::string_view kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicateType = "https://model_signing/signature/v1.0";
constexpr ParseLimits kLimits{.max_bytes = size_t{1} << 20, .max_nodes = 20'000, .max_depth = 16};

Status Bad(std::string_view problem) {
  return absl::InvalidArgumentError(Cat("bundle: ", problem));
}
Status Refused(std::string_view problem) {
  return absl::PermissionDeniedError(Cat("bundle: ", problem));
}

/// The text at a path of keys; an empty key list element never occurs.
StatusOr<std::string> TextAt(const Node& node, std::initializer_list<const char*> path) {
  const Node* at = &node;
  std::string name;
  for (const char* key : path) {
    name += Cat(name.empty() ? "" : ".", key);
    at = at->Find(key);
    if (at == nullptr) return Bad(Cat(name, " is missing"));
  }
  if (!at->is_scalar()) return Bad(Cat(name, " is ", at->KindName(), ", not a text"));
  return at->text();
}

StatusOr<std::string> BytesAt(const Node& node, std::initializer_list<const char*> path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, TextAt(node, path));
  std::optional<std::string> bytes = FromBase64(text);
  if (!bytes.has_value()) return Bad(Cat(*(path.end() - 1), " is no base64"));
  return *std::move(bytes);
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

bool IsHexDigest(std::string_view text) {
  if (text.size() != 64) return false;
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace

StatusOr<Bundle> ParseBundle(std::string_view json) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseJson(json, "bundle", kLimits));
  SAFERL_ASSIGN_OR_RETURN(const std::string media, TextAt(node, {"mediaType"}));
  if (media != kMediaType) return Refused(Cat("mediaType is not ", kMediaType));
  Bundle bundle;
  SAFERL_ASSIGN_OR_RETURN(bundle.hint, TextAt(node, {"verificationMaterial", "publicKey", "hint"}));
  SAFERL_ASSIGN_OR_RETURN(bundle.payload_type, TextAt(node, {"dsseEnvelope", "payloadType"}));
  SAFERL_ASSIGN_OR_RETURN(bundle.payload, BytesAt(node, {"dsseEnvelope", "payload"}));
  const Node* signatures = node.Find("dsseEnvelope")->Find("signatures");
  if (signatures == nullptr || !signatures->is_list() || signatures->items().size() != 1)
    return Refused("dsseEnvelope.signatures must hold exactly one signature");
  SAFERL_ASSIGN_OR_RETURN(bundle.signature, BytesAt(signatures->items()[0], {"sig"}));
  return bundle;
}

std::string WriteBundle(const Bundle& bundle) {
  JsonWriter w;
  w.BeginObject().Field("mediaType", kMediaType);
  w.Key("verificationMaterial").BeginObject();
  w.Key("publicKey").BeginObject().Field("hint", bundle.hint).EndObject();
  w.Key("tlogEntries").BeginArray().EndArray().EndObject();
  w.Key("dsseEnvelope").BeginObject().Field("payload", Base64(bundle.payload));
  w.Field("payloadType", bundle.payload_type).Key("signatures").BeginArray();
  w.BeginObject().Field("sig", Base64(bundle.signature)).Field("keyid", "").EndObject();
  return w.EndArray().EndObject().EndObject().Take();
}

std::string PreAuthenticationEncoding(std::string_view payload_type, std::string_view payload) {
  return Cat("DSSEv1 ", payload_type.size(), " ", payload_type, " ", payload.size(), " ", payload);
}

std::string WriteStatement(const std::string& name, const std::string& digest) {
  JsonWriter w;
  w.BeginObject().Field("_type", kStatementType).Key("subject").BeginArray();
  w.BeginObject().Field("name", name).Key("digest").BeginObject();
  w.Field("sha256", Sha256Hex(FromHex(digest))).EndObject().EndObject().EndArray();
  w.Field("predicateType", kPredicateType).Key("predicate").BeginObject();
  w.Key("serialization").BeginObject().Field("method", "files").Field("hash_type", "sha256");
  w.Field("allow_symlinks", false).Key("ignore_paths").BeginArray().EndArray().EndObject();
  w.Key("resources").BeginArray().BeginObject().Field("name", ".").Field("algorithm", "sha256");
  return w.Field("digest", digest).EndObject().EndArray().EndObject().EndObject().Take();
}

Status CheckStatement(std::string_view payload, const std::string& digest) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseJson(payload, "statement", kLimits));
  SAFERL_ASSIGN_OR_RETURN(const std::string type, TextAt(node, {"_type"}));
  SAFERL_ASSIGN_OR_RETURN(const std::string predicate, TextAt(node, {"predicateType"}));
  if (type != kStatementType) return Refused("the statement's _type is not in-toto's v1");
  if (predicate != kPredicateType) return Refused(Cat("predicateType is not ", kPredicateType));
  const Node* subject = node.Find("subject");
  if (subject == nullptr || !subject->is_list() || subject->items().size() != 1)
    return Refused("the statement must have exactly one subject");
  SAFERL_ASSIGN_OR_RETURN(const std::string root,
                          TextAt(subject->items()[0], {"digest", "sha256"}));
  SAFERL_ASSIGN_OR_RETURN(const std::string method,
                          TextAt(node, {"predicate", "serialization", "method"}));
  const Node* resources = node.Find("predicate")->Find("resources");
  if (method != "files" || resources == nullptr || !resources->is_list() ||
      resources->items().size() != 1)
    return Refused("a model package is one file: one resource by method files");
  SAFERL_ASSIGN_OR_RETURN(const std::string algorithm,
                          TextAt(resources->items()[0], {"algorithm"}));
  SAFERL_ASSIGN_OR_RETURN(const std::string of, TextAt(resources->items()[0], {"digest"}));
  if (algorithm != "sha256" || !IsHexDigest(of))
    return Refused("the resource has no sha256 digest");
  if (root != Sha256Hex(FromHex(of)))
    return Refused("the resources do not add up to the subject's digest");
  if (of != digest) return Refused(Cat("signs sha256 ", of, ", the package is ", digest));
  return absl::OkStatus();
}

}  // namespace saferl::registry
