#include "saferl/base/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/json.h"

namespace saferl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(JsonReader, ReadsStraightIntoAStruct) {
  JsonReader r(
      R"({"name": "a\u00e9\n", "skip": [1, {"x": [[], {}, "y"]}], "data": [[1, 2.5], [3e1, -4]],
                   "n": 9007199254740993, "ok": true, "none": null})",
      "body");
  std::string key, name;
  std::vector<float> data;
  int64_t n = 0;
  bool ok = false;
  ASSERT_TRUE(r.BeginObject().ok());
  while (r.NextKey(&key)) {
    if (key == "name") {
      EXPECT_TRUE(r.String(&name).ok());
    } else if (key == "data") {
      EXPECT_TRUE(r.Numbers(&data).ok());
    } else if (key == "n") {
      EXPECT_TRUE(r.Integer(&n).ok());
    } else if (key == "ok") {
      EXPECT_TRUE(r.Bool(&ok).ok());
    } else if (key == "none") {
      EXPECT_EQ(r.Peek(), JsonReader::Kind::kNull);
      EXPECT_TRUE(r.Null().ok());
    } else {
      EXPECT_TRUE(r.Skip().ok());
    }
  }
  EXPECT_TRUE(r.Finish().ok()) << r.status();
  EXPECT_EQ(name, "a\xc3\xa9\n");
  EXPECT_THAT(data, ElementsAre(1, 2.5F, 30, -4));
  EXPECT_EQ(n, 9007199254740993);
  EXPECT_TRUE(ok);
}

TEST(JsonReader, SkipsAnythingThatParses) {
  for (const char* text :
       {"[]", "{}", "[[],[[]],{}]", R"({"a":{"b":[1,2,{"c":null}]},"d":"\"}"})", "1", "\"x\""}) {
    JsonReader r(text, "t");
    EXPECT_TRUE(r.Skip().ok()) << text << ": " << r.status();
    EXPECT_TRUE(r.Finish().ok()) << text << ": " << r.status();
  }
}

TEST(JsonReader, RefusesWhatTheGrammarDoesNot) {
  struct Case {
    const char *text, *says;
  };
  const Case cases[] = {
      {"[1 2]", "expected ','"},
      {"[1,]", "expected a value"},
      {"{\"a\" 1}", "expected ':'"},
      {"{a:1}", "double quotes"},
      {"[01]", "no JSON value"},
      {"[1.]", "no JSON value"},
      {"[nul]", "no JSON value"},
      {"[1", "expected ','"},
      {"\"\\x\"", "unknown escape"},
      {"\"a\tb\"", "control character"},
      {"\"\\ud800\"", "surrogate"},
      {"\"\\ud800\\u0041\"", "surrogate"},
      {"\"\xff\"", "UTF-8"},
      {"\"\xc0\xaf\"", "UTF-8"},
      {"\"\xed\xa0\x80\"", "UTF-8"},
      {"\"\xf4\x90\x80\x80\"", "UTF-8"},
      {"\"\xe2\x82\"", "UTF-8"},
      {"[] []", "after the end"},
      {"\n\n[}", "t:3"},
  };
  for (const Case& c : cases) {
    const auto node = ParseJson(c.text, "t");
    ASSERT_FALSE(node.ok()) << c.text;
    EXPECT_THAT(node.status().ToString(), HasSubstr(c.says)) << c.text;
    JsonReader r(c.text, "t");
    (void)r.Skip();
    EXPECT_FALSE(r.Finish().ok()) << c.text;
  }
  EXPECT_TRUE(ParseJson("\"\xf0\x9f\x98\x80 \xc3\xa9\"", "t").ok());
}

TEST(JsonReader, DepthIsBoundedWhileSkippingAndReadingNumbers) {
  const std::string deep = std::string(100'000, '[');
  JsonReader skip(deep, "t"), numbers(deep, "t");
  EXPECT_THAT(skip.Skip().ToString(), HasSubstr("deeper than 64"));
  std::vector<float> values;
  EXPECT_THAT(numbers.Numbers(&values).ToString(), HasSubstr("deeper than 64"));
}

TEST(JsonReader, NumbersThatDoNotFitAreErrors) {
  std::vector<float> floats;
  std::vector<int64_t> whole;
  EXPECT_FALSE(JsonReader("[1e39]", "t").Numbers(&floats).ok());
  EXPECT_FALSE(JsonReader("[1e999]", "t").Numbers(&floats).ok());
  EXPECT_FALSE(JsonReader("[true]", "t").Numbers(&floats).ok());
  EXPECT_FALSE(JsonReader("[1.5]", "t").Numbers(&whole).ok());
  EXPECT_FALSE(JsonReader("[9223372036854775808]", "t").Numbers(&whole).ok());
}

}  // namespace
}  // namespace saferl
