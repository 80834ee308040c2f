#include "saferl/net/compression.h"

#include <gtest/gtest.h>

#include "saferl/base/random.h"

namespace saferl::net {
namespace {

TEST(Compression, AnyBytesComeBack) {
  Random random(3);
  for (const Coding coding : {Coding::kIdentity, Coding::kGzip, Coding::kDeflate}) {
    for (const int size : {0, 1, 100, 5000, 300'000}) {
      std::string bytes;
      for (int i = 0; i < size; ++i) bytes += static_cast<char>(random.Index(i % 7 == 0 ? 256 : 4));
      const auto back = Decompress(coding, Compress(coding, bytes), 1 << 20);
      ASSERT_TRUE(back.ok()) << Name(coding) << " " << size << ": " << back.status();
      EXPECT_EQ(*back, bytes);
    }
  }
}

TEST(Compression, TheLimitHoldsToTheByte) {
  const std::string packed = Compress(Coding::kGzip, std::string(10'000, 'a'));
  EXPECT_TRUE(Decompress(Coding::kGzip, packed, 10'000).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Decompress(Coding::kGzip, packed, 9'999).status()));
}

TEST(Compression, BombsAreStoppedByRatio) {
  const std::string bomb = Compress(Coding::kGzip, std::string(16 << 20, '\0'));
  ASSERT_LT(bomb.size(), 100'000u);
  EXPECT_TRUE(absl::IsResourceExhausted(Decompress(Coding::kGzip, bomb, size_t{1} << 30).status()));
  const std::string small = Compress(Coding::kGzip, std::string(kFreeBytes, '\0'));
  EXPECT_TRUE(Decompress(Coding::kGzip, small, 1 << 20).ok())
      << "small ones pass whatever their ratio";
}

TEST(Compression, SeveralGzipMembersAreOneText) {
  const std::string two = Compress(Coding::kGzip, "abc") + Compress(Coding::kGzip, "def");
  EXPECT_EQ(*Decompress(Coding::kGzip, two, 100), "abcdef");
}

TEST(Compression, DamageIsSaid) {
  const std::string packed = Compress(Coding::kGzip, "hello hello hello hello");
  for (size_t n = 0; n < packed.size(); ++n) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(Decompress(Coding::kGzip, packed.substr(0, n), 100).status()))
        << n;
  }
  EXPECT_FALSE(Decompress(Coding::kGzip, packed + "x", 100).ok()) << "bytes behind the end";
  EXPECT_FALSE(Decompress(Coding::kDeflate, Compress(Coding::kDeflate, "a") + "x", 100).ok());
  EXPECT_FALSE(Decompress(Coding::kGzip, "plain text", 100).ok());
  EXPECT_FALSE(Decompress(Coding::kDeflate, packed, 100).ok()) << "gzip sent as deflate";
  std::string flipped = packed;
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);  // its CRC
  EXPECT_FALSE(Decompress(Coding::kGzip, flipped, 100).ok());
}

TEST(Compression, NamesOfCodings) {
  EXPECT_EQ(*ContentCoding("GZIP"), Coding::kGzip);
  EXPECT_EQ(*ContentCoding("x-gzip"), Coding::kGzip);
  EXPECT_EQ(*ContentCoding("deflate"), Coding::kDeflate);
  EXPECT_EQ(*ContentCoding("identity"), Coding::kIdentity);
  for (const char* other : {"br", "gzip, gzip", "", "zstd"})
    EXPECT_FALSE(ContentCoding(other).ok());
  struct Accept {
    std::string_view value;
    Coding coding;
  };
  for (const Accept& c : {Accept{"", Coding::kIdentity},
                          {"gzip", Coding::kGzip},
                          {"deflate, gzip", Coding::kGzip},
                          {"gzip;q=0", Coding::kIdentity},
                          {"gzip;q=0.2, deflate;q=0.9", Coding::kDeflate},
                          {"*", Coding::kGzip},
                          {"*;q=0", Coding::kIdentity},
                          {"gzip;q=0, *", Coding::kDeflate},
                          {"br", Coding::kIdentity},
                          {"gzip;q=x", Coding::kIdentity},
                          {" gzip ; q=1 ,", Coding::kGzip},
                          {",,;;=", Coding::kIdentity}}) {
    EXPECT_EQ(AcceptedCoding(c.value), c.coding) << c.value;
  }
}

}  // namespace
}  // namespace saferl::net
