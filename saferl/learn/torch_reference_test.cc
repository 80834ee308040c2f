#include "saferl/learn/torch_reference.h"

#include <cstdlib>

#include "gtest/gtest.h"
#include "saferl/base/file.h"

namespace saferl::learn {
namespace {

// tools/test_torch.py runs this test with SAFERL_TORCH_REFERENCE set and compares the file with
// PyTorch.
TEST(TorchReference, WritesTheSameNumbersForTheSameSeed) {
  const std::string text = TorchReference(1);
  EXPECT_EQ(text, TorchReference(1));
  EXPECT_NE(text, TorchReference(2));
  EXPECT_EQ(text.find("nan"), std::string::npos);
  if (const char* path = std::getenv("SAFERL_TORCH_REFERENCE")) {
    ASSERT_TRUE(WriteFileAtomic(path, text).ok());
  }
}

}  // namespace
}  // namespace saferl::learn
