#pragma once
// Numbers of one random policy, for a comparison with another library (tools/test_torch.py):
// parameters, observations, actions, and what our code makes of them.
//
// Text, one array a line: name, count, values with 9 digits. RT: no. Errors: none.

#include <cstdint>
#include <string>

namespace saferl::learn {

/// Mean actions, log-probabilities, the gradient of their weighted sum and a Fisher-vector product.
std::string TorchReference(uint64_t seed);

}  // namespace saferl::learn
