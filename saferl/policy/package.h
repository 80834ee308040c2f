#pragma once
// The bytes of a model package: encode, decode, and what the command line says about one.
//
// Layout, limits and identity: docs/formats/model_package.md.
// Errors: kInvalidArgument, as "<file>: offset <n>: <field>: <problem>; <fix>". Nothing is
// allocated
//   for a length before it was compared with the bytes that are left.
// RT: no.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "saferl/policy/policy.h"

namespace saferl::policy {

inline constexpr size_t kMaxNameBytes = 256;
inline constexpr size_t kMaxRecordBytes = size_t{1} << 20;
inline constexpr size_t kMaxGolden = 4096;
inline constexpr size_t kMaxPackageBytes = size_t{16} << 20;
inline constexpr uint32_t kPackageVersion = 1;

/// The spec must be valid. Equal specs give equal bytes.
StatusOr<std::string> EncodePackage(const PolicySpec& spec);
/// `source` names the bytes in messages.
StatusOr<PolicySpec> DecodePackage(std::string_view bytes, std::string_view source);

/// What a verified package is: every check of the format passed and every golden vector recomputed.
struct PackageReport {
  std::string path, name, robot, sha256, kernel;
  size_t bytes = 0;
  size_t golden_vectors = 0;
  double worst_golden_error = 0;  ///< max |action - golden action|, in the action's unit
};
/// Everything that LoadPolicy checks, and the figures of it.
StatusOr<PackageReport> VerifyPackage(const std::string& path);

/// A policy for people: schema, normaliser, layers, parameters, training record.
std::string ShowPolicy(const Policy& policy);
/// The same for programs: one JSON object.
std::string ShowPolicyJson(const Policy& policy);

}  // namespace saferl::policy
