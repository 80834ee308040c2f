#include "saferl/base/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <regex>

#include "saferl/base/json.h"
#include "saferl/base/random.h"

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

/// What one number is by the grammar, without this reader's short cuts.
std::optional<double> Spelled(const std::string& word) {
  static const std::regex kNumber(R"(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)");
  if (!std::regex_match(word, kNumber)) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::string RandomWord(Random* random) {
  const auto digits = [&](uint64_t most) {
    std::string text;
    for (uint64_t n = random->NextU64() % (most + 1); n > 0; --n)
      text += static_cast<char>('0' + random->NextU64() % 10);
    return text;
  };
  std::string word = random->NextU64() % 3 == 0 ? "-" : "";
  word += random->NextU64() % 4 == 0 ? "0" : digits(random->NextU64() % 2 == 0 ? 3 : 25);
  if (random->NextU64() % 4 != 0) word += "." + digits(random->NextU64() % 2 == 0 ? 4 : 30);
  if (random->NextU64() % 5 == 0) word += (random->NextU64() % 2 == 0 ? "e-" : "E+") + digits(3);
  if (random->NextU64() % 8 == 0)
    word.insert(random->NextU64() % (word.size() + 1), 1, "-+.e0x"[random->NextU64() % 6]);
  return word;
}

TEST(JsonReader, EveryNumberIsReadAsItsGrammarAndTheNearestDoubleSay) {
  Random random(7, 1);
  int good = 0, bad = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string word = RandomWord(&random);
    const std::optional<double> expected = Spelled(word);
    for (const char* behind : {"", " ", ",1", "]"}) {
      const std::string text = word + behind;
      JsonReader r(text, "t");
      double value = -1;
      const Status status = r.Number(&value);
      ASSERT_EQ(status.ok(), expected.has_value()) << text << ": " << status;
      if (expected.has_value()) {
        ASSERT_EQ(std::bit_cast<uint64_t>(value), std::bit_cast<uint64_t>(*expected)) << text;
      }
    }
    (expected.has_value() ? good : bad)++;
  }
  EXPECT_GT(good, 100'000);
  EXPECT_GT(bad, 10'000);
}

TEST(JsonReader, ARunOfNumbersIsWhatOneByOneReadsAndEndsWhereThatWouldFail) {
  Random random(7, 2);
  int ended_early = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "[";
    for (uint64_t n = random.NextU64() % 6; n > 0; --n) {
      text += std::string(random.NextU64() % 2, ' ') + RandomWord(&random);
      text += std::string(random.NextU64() % 2, '\n');
      if (n > 1 || random.NextU64() % 16 == 0) text += ",";
    }
    text += random.NextU64() % 8 == 0 ? "" : "]";
    JsonReader run(text, "t"), single(text, "t");
    ASSERT_TRUE(run.BeginArray().ok());
    ASSERT_TRUE(single.BeginArray().ok());
    std::array<float, 4> values{};
    const size_t n = run.Reals<float>(values);
    ASSERT_TRUE(run.status().ok()) << "stops without an error: " << text;
    for (size_t k = 0; k < n; ++k) {
      double value = 0;
      ASSERT_TRUE(single.NextItem()) << text;
      ASSERT_TRUE(single.Number(&value).ok()) << text;
      ASSERT_EQ(std::bit_cast<uint32_t>(static_cast<float>(value)),
                std::bit_cast<uint32_t>(values[k]))
          << text;
    }
    // From here on both see the same: another number that does not fit, an end, or an error.
    double a = 0, b = 0;
    const bool more = run.NextItem();
    ASSERT_EQ(more, single.NextItem()) << text;
    if (more) {
      const Status mine = run.Number(&a), theirs = single.Number(&b);
      ASSERT_EQ(mine, theirs) << text;
      if (mine.ok() && n < values.size()) {
        ASSERT_GT(std::abs(a), 3.4e38) << text;
      }
      ++ended_early;
    }
    ASSERT_EQ(run.status(), single.status()) << text;
    ASSERT_EQ(run.Finish(), single.Finish()) << text;
  }
  EXPECT_GT(ended_early, 1000);
}

TEST(JsonReader, ARunOfNumbersTakesNothingOutsideOfAList) {
  std::array<double, 4> values{};
  JsonReader top("1,2", "t"), object(R"({"a":[3,[4]]})", "t");
  EXPECT_EQ(top.Reals<double>(values), 0U);
  std::string key;
  ASSERT_TRUE(object.BeginObject().ok());
  EXPECT_EQ(object.Reals<double>(values), 0U);
  ASSERT_TRUE(object.NextKey(&key));
  EXPECT_EQ(object.Reals<double>(values), 0U) << "a list must have begun";
  ASSERT_TRUE(object.BeginArray().ok());
  EXPECT_EQ(object.Reals<double>(values), 1U) << "a list within is the caller's";
  EXPECT_EQ(values[0], 3);
  ASSERT_TRUE(object.NextItem());
  ASSERT_TRUE(object.BeginArray().ok());
  EXPECT_EQ(object.Reals<double>(values), 1U);
  EXPECT_EQ(values[0], 4);
}

}  // namespace
}  // namespace saferl
