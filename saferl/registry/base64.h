#pragma once
// Base64 (RFC 4648, section 4) with padding, as signatures are written. Decoding is strict: no
// white space, no missing padding, no bits beyond the last byte. RT: no.

#include <optional>
#include <string>
#include <string_view>

namespace saferl::registry {

std::string Base64(std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace saferl::registry
