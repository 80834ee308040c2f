#pragma once
// Small model packages for tests: each weight gives other bytes. RT: no.

#include <string>

#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::registry::testing {

inline policy::PolicySpec SmallSpec(uint64_t seed, const std::string& record = "{}") {
  const int hidden[] = {4};
  policy::PolicySpec spec = policy::MakeGaussianMlp(3, 2, hidden, seed);
  spec.name = "small";
  spec.robot = "wheelchair";
  spec.training_record = record;
  policy::MakeGoldenVectors(&spec, 4, seed);
  return spec;
}

inline std::string SmallPackage(uint64_t seed, const std::string& record = "{}") {
  return policy::EncodePackage(SmallSpec(seed, record)).value_or("");
}

}  // namespace saferl::registry::testing
