#pragma once
// The fixed parts of a model package, shared by its writer and its reader
// (docs/formats/model_package.md). RT: no.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace saferl::policy {

static_assert(std::endian::native == std::endian::little,
              "numbers are copied as they lie in memory");

inline constexpr std::string_view kPackageMagic = "SAFERLMP";
inline constexpr size_t kPackageHeaderBytes = 24;
inline constexpr size_t kPackageTrailerBytes = 32;  ///< SHA-256
inline constexpr uint32_t kPackageSections = 7;
inline constexpr uint32_t kPackageVersionInt8 = 2;  ///< exactly the packages with an int8 layer

}  // namespace saferl::policy
