#pragma once
// Fills the stack that the next call will use, so that a test sees whether the call reads what it
// has not written.

#include <cstddef>

namespace saferl::policy {

[[gnu::noinline]] inline void FillStack(unsigned char byte) {
  volatile unsigned char stack[16'384];
  for (size_t i = 0; i < sizeof stack; ++i) stack[i] = byte;
}

}  // namespace saferl::policy
