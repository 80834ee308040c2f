#include "saferl/base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "saferl/base/random.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

std::string ErrorOf(std::string_view text) {
  const StatusOr<Node> node = ParseJson(text, "f.json");
  return node.ok() ? "no error" : Cat(node.status().message());
}

TEST(JsonWriter, KeepsOrderAndNests) {
  JsonWriter w;
  w.BeginObject().Field("b", 1).Field("a", "x\n\"").Key("list").Value(std::vector<double>{0.1, 2});
  w.Key("empty").BeginObject().EndObject().Field("yes", true).Key("none").Null().EndObject();
  EXPECT_EQ(w.text(), R"({"b":1,"a":"x\n\"","list":[0.1,2],"empty":{},"yes":true,"none":null})");
}

TEST(JsonWriter, IndentsWhenAsked) {
  JsonWriter w(2);
  w.BeginObject().Field("a", 1).Key("b").BeginArray().Value(2).EndArray().EndObject();
  EXPECT_EQ(w.text(), "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}");
}

TEST(JsonWriter, NumbersWithoutAJsonFormAreNull) {
  JsonWriter w;
  w.BeginArray().Value(NAN).Value(INFINITY).Value(-INFINITY).Value(NAN * 0.0f).EndArray();
  EXPECT_EQ(w.text(), "[null,null,null,null]");
}

TEST(JsonWriter, BadUtf8IsReplaced) {
  EXPECT_EQ(JsonEscape("a\xff"
                       "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(JsonEscape("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(JsonEscape("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(JsonWriterDeathTest, MisuseAborts) {
  EXPECT_DEATH(JsonWriter().BeginObject().Value(1), "needs a key");
  EXPECT_DEATH(JsonWriter().BeginArray().EndObject(), "does not match");
}

TEST(Json, DoublesAndIntegersRoundTripExactly) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t bits = random.NextU64();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    const StatusOr<Node> node = ParseJson(JsonWriter().Value(value).Take(), "f");
    ASSERT_TRUE(node.ok());
    ASSERT_EQ(std::bit_cast<uint64_t>(*node->AsDouble()), bits);
    const int64_t whole = static_cast<int64_t>(bits);
    ASSERT_EQ(*ParseJson(JsonWriter().Value(whole).Take(), "f")->AsInt64(), whole);
    ASSERT_EQ(*ParseJson(JsonWriter().Value(bits).Take(), "f")->AsUint64(), bits);
  }
}

TEST(Json, TextsRoundTrip) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (int k = random.Index(20); k > 0; --k) text += static_cast<char>(random.Index(128));
    ASSERT_EQ(*ParseJson(JsonWriter().Value(text).Take(), "f")->AsString(), text);
  }
}

TEST(Json, ParsesToATreeWithLines) {
  const StatusOr<Node> node =
      ParseJson("{\n \"a\": [1,\n 2.5e1],\n \"b\": {\"c\": \"\\u00e9\\ud83d\\ude00\"}\n}", "f");
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(*node->Find("a")->items()[1].AsDouble(), 25.0);
  EXPECT_EQ(node->Find("a")->items()[1].line(), 3);
  EXPECT_EQ(node->Find("b")->Find("c")->text(), "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(node->Find("z"), nullptr);
  EXPECT_EQ(node->Get("bb").status().message(),
            "f:1: 'bb' is missing; add it (is 'b' a misspelling of it?)");
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* bad :
       {"",          " ",       "{",          "[",           "[1,]",        "[,1]",   "{\"a\":}",
        "{\"a\" 1}", "{a:1}",   "{\"a\":1,}", "01",          "1.",          ".5",     "+1",
        "1e",        "- 1",     "nan",        "NaN",         "Infinity",    "tru",    "'a'",
        "\"a",       "\"\\x\"", "\"\\u12\"",  "\"\\ud800\"", "\"\\udc00\"", "\"\n\"", "1 2",
        "[1] x",     "// c\n1", "[1 2]",      "nul",         "\"\\"}) {
    EXPECT_NE(ErrorOf(bad), "no error") << bad;
    EXPECT_EQ(ErrorOf(bad).find("f.json:"), 0u) << bad;
  }
}

TEST(Json, ErrorsCarryTheLine) {
  EXPECT_EQ(ErrorOf("{\n\"a\": 1,\n\"a\": 2}"), "f.json:1: key 'a' appears twice; keep one");
  EXPECT_EQ(ErrorOf("[\n1,\n2\n3]"),
            "f.json:4: expected ',' or ']'; check for a missing comma or bracket");
}

TEST(Json, DepthSizeAndCountAreBounded) {
  EXPECT_NE(ErrorOf(std::string(100'000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string(100'000, '{')).find("f.json:"), std::string::npos);
  EXPECT_FALSE(ParseJson("[1,1,1]", "f", {.max_nodes = 3}).ok());
  EXPECT_FALSE(ParseJson("[1,1,1]", "f", {.max_bytes = 6}).ok());
  EXPECT_TRUE(ParseJson("[1,1,1]", "f", {.max_bytes = 7, .max_nodes = 4}).ok());
}

TEST(Json, EveryTruncationIsRefusedOrShorter) {
  const std::string text = R"({"a":[1,{"b":"c\n"}],"d":-1.5e-3})";
  for (size_t n = 0; n < text.size(); ++n)
    EXPECT_FALSE(ParseJson(text.substr(0, n), "f").ok()) << n;
}

}  // namespace
}  // namespace saferl
