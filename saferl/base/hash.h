#pragma once
// SHA-256, for model packages, golden files and log identity.
//
// RT: no (it allocates nothing, but its cost grows with the input). Cost: about 5 ns a byte.
// Source: FIPS 180-4.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace saferl {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256& Update(const void* data, size_t size);
  Sha256& Update(std::string_view data) { return Update(data.data(), data.size()); }
  /// The digest of all that went in; the object must not be used afterwards.
  Sha256Digest Finish();

 private:
  void Block(const uint8_t* block);
  std::array<uint32_t, 8> h_;
  std::array<uint8_t, 64> buffer_{};
  uint64_t size_ = 0;
};

Sha256Digest Sha256Of(std::string_view data);
/// Lower-case hexadecimal.
std::string ToHex(const Sha256Digest& digest);
std::string Sha256Hex(std::string_view data);

}  // namespace saferl
