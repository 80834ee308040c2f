#include "saferl/base/hash.h"

#include <gtest/gtest.h>

#include <string>

#include "saferl/base/random.h"

namespace saferl {
namespace {

TEST(Sha256, KnownAnswersOfFips180) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AnySplitOfTheInputGivesTheSameDigest) {
  Random random(1);
  for (int trial = 0; trial < 200; ++trial) {
    std::string data(static_cast<size_t>(random.Index(300)), '\0');
    for (char& c : data) c = static_cast<char>(random.Index(256));
    Sha256 pieces;
    for (size_t at = 0; at < data.size();) {
      const size_t take = static_cast<size_t>(random.Index(70));
      pieces.Update(std::string_view(data).substr(at, take));
      at += take;
    }
    ASSERT_EQ(ToHex(pieces.Finish()), Sha256Hex(data));
  }
}

TEST(Sha256, OneFlippedBitChangesTheDigest) {
  std::string data(100, 'x');
  const std::string before = Sha256Hex(data);
  for (size_t bit = 0; bit < 800; ++bit) {
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(Sha256Hex(data), before);
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << (bit % 8)));
  }
}

}  // namespace
}  // namespace saferl
