#include "saferl/net/target.h"

#include <gtest/gtest.h>

#include "saferl/base/random.h"

namespace saferl::net {
namespace {

TEST(ParseTarget, Taken) {
  struct Case {
    std::string_view target, path;
  };
  for (const Case& c : {Case{"/", "/"},
                        {"/a/b", "/a/b"},
                        {"/a/", "/a"},
                        {"/a%20b", "/a b"},
                        {"/a+b", "/a+b"},
                        {"/%C3%A9", "/\xC3\xA9"},
                        {"/a?x=1", "/a"},
                        {"http://h/a", "/a"},
                        {"http://h:80", "/"},
                        {"https://[::1]:8/a?b", "/a"},
                        {"/...", "/..."},
                        {"/.hidden", "/.hidden"},
                        {"/a:b@c", "/a:b@c"}}) {
    const auto target = ParseTarget(c.target);
    ASSERT_TRUE(target.ok()) << c.target << ": " << target.status();
    EXPECT_EQ(target->path, c.path) << c.target;
  }
}

TEST(ParseTarget, Refused) {
  for (const std::string_view target :
       {"",          "a",          "*",       "//",        "//a",
        "/a//b",     "/.",         "/..",     "/a/../b",   "/a/./b",
        "/%2e%2e/b", "/.%2E",      "/%2e",    "/a%2Fb",    "/a%5cb",
        "/a\\b",     "/a%00",      "/a%0ab",  "/a%7f",     "/a%",
        "/a%4",      "/a%zz",      "/a%GG",   "/\xff",     "/%ff",
        "/%c0%af",   "/%ed%a0%80", "/a b",    "/a\"b",     "/<a>",
        "/a#b",      "/a^b",       "/a`b",    "/a{b}",     "/a|b",
        "/?a=%ff",   "/?a=%00",    "/?a=%",   "/?a=<",     "/?a=\\",
        "/?a=#",     "ftp://h/a",  "http://", "http:///a", "http://user@h/a",
        "host:80"}) {
    EXPECT_FALSE(ParseTarget(target).ok()) << target;
  }
}

TEST(ParseTarget, APathReadsTheSameWithAndWithoutAQuery) {
  constexpr std::string_view kBytes = "//.ab-_~:@%2e+$";
  Random random(3, 1);
  int taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string path = random.Chance(0.9) ? "/" : "";
    for (int n = random.Index(8); n > 0; --n)
      path += kBytes[static_cast<size_t>(random.Index(kBytes.size()))];
    const auto bare = ParseTarget(path), with_query = ParseTarget(path + "?");
    ASSERT_EQ(bare.ok(), with_query.ok()) << path;
    if (!bare.ok()) continue;
    ASSERT_EQ(bare->path, with_query->path) << path;
    ASSERT_TRUE(bare->query.empty());
    ++taken;
  }
  EXPECT_GT(taken, 10'000);
}

TEST(ParseTarget, QueriesKeepOrderAndDecode) {
  const auto target = ParseTarget("/a?b=1&c&&d=%26+x&b=2&e=a=b&f[]=1");
  ASSERT_TRUE(target.ok()) << target.status();
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"b", "1"}, {"c", ""}, {"d", "& x"}, {"b", "2"}, {"e", "a=b"}, {"f[]", "1"}};
  EXPECT_EQ(target->query, expected);
}

TEST(ParseTarget, QueriesAreBounded) {
  std::string target = "/a?";
  for (int i = 0; i < 256; ++i) target += "x&";
  EXPECT_TRUE(ParseTarget(target).ok());
  EXPECT_FALSE(ParseTarget(target + "x").ok());
}

TEST(Percent, AnyBytesComeBack) {
  Random random(7);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes;
    for (int n = random.Index(20); n > 0; --n) bytes += static_cast<char>(random.Index(256));
    EXPECT_EQ(*PercentDecode(PercentEncode(bytes), false), bytes);
    EXPECT_EQ(*PercentDecode(PercentEncode(bytes), true), bytes);
  }
  EXPECT_EQ(PercentEncode("a b/c~\xC3"), "a%20b%2Fc~%C3");
  EXPECT_EQ(PercentEncode("a/b", "/"), "a/b");
}

TEST(IsUtf8, OnlyTheShortestFormsOfRealCharacters) {
  for (const std::string_view good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                      "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xC0\xAF", "\xC1\x81", "\xC3", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xC3(",
        "\xE2(\xAC"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace saferl::net
