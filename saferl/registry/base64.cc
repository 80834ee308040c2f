#include "saferl/registry/base64.h"

#include <cstdint>

namespace saferl::registry {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string Base64(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    const size_t n = bytes.size() - i < 3 ? bytes.size() - i : 3;
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k)
      out.push_back(k <= n ? kAlphabet[word >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t word = 0;
    size_t padding = 0;
    for (size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const size_t value = kAlphabet.find(c);
      if (c == '=' && k >= 2 && i + 4 == text.size()) {
        ++padding;
        word <<= 6;
      } else if (value == std::string_view::npos || padding > 0) {
        return std::nullopt;
      } else {
        word = word << 6 | static_cast<uint32_t>(value);
      }
    }
    if ((padding == 1 && (word & 0xFF) != 0) || (padding == 2 && (word & 0xFFFF) != 0))
      return std::nullopt;
    for (size_t k = 0; k < 3 - padding; ++k)
      out.push_back(static_cast<char>(word >> (16 - 8 * k) & 0xFF));
  }
  return out;
}

}  // namespace saferl::registry
