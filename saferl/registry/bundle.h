#pragma once
// The JSON of an OpenSSF Model Signing 1.0 bundle: what is signed and how it is wrapped. RT: no.
// Source and errors: signing.h.

#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::registry {

struct Bundle {
  std::string hint;  ///< SHA-256 of the public key's PEM text
  std::string payload_type, payload, signature;
  bool operator==(const Bundle&) const = default;
};
StatusOr<Bundle> ParseBundle(std::string_view json);
std::string WriteBundle(const Bundle& bundle);

inline constexpr std::string_view kInTotoType = "application/vnd.in-toto+json";
/// What DSSE signs.
std::string PreAuthenticationEncoding(std::string_view payload_type, std::string_view payload);
/// The statement that one file of this digest is the model.
std::string WriteStatement(const std::string& name, const std::string& digest);
/// OK when the statement says that the model is one file of this digest.
Status CheckStatement(std::string_view payload, const std::string& digest);

}  // namespace saferl::registry
