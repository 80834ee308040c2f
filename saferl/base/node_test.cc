#include "saferl/base/node.h"

#include <gtest/gtest.h>

#include "saferl/base/yaml.h"

namespace saferl {
namespace {

Node Tree(std::string_view text) { return *ParseYaml(text, "f.yaml"); }

template <class T>
std::string ErrorOf(const StatusOr<T>& value) {
  return value.ok() ? "no error" : std::string(value.status().message());
}

TEST(Node, EveryGetterTakesItsOwnKindAndNamesTheLineOfAnother) {
  const Node tree =
      Tree("number: 0.5\nwhole: -3\nyes: true\ntext: hello\nlist: [1, 2.5]\nmap: {a: 1}\n");
  EXPECT_EQ(*tree.Find("number")->AsDouble(), 0.5);
  EXPECT_EQ(*tree.Find("whole")->AsInt64(), -3);
  EXPECT_EQ(*tree.Find("yes")->AsBool(), true);
  EXPECT_EQ(*tree.Find("text")->AsString(), "hello");
  EXPECT_EQ(*tree.Find("list")->AsDoubles(2), (std::vector<double>{1, 2.5}));

  const Node& list = *tree.Find("list");
  EXPECT_EQ(ErrorOf(list.AsDouble()),
            "f.yaml:5: expected a finite number, found a list; write a number such as 0.25");
  EXPECT_EQ(ErrorOf(tree.Find("number")->AsInt64()),
            "f.yaml:1: expected a whole number, found '0.5'; write a number such as 3");
  EXPECT_EQ(ErrorOf(list.AsInt64()),
            "f.yaml:5: expected a whole number, found a list; write a number such as 3");
  EXPECT_EQ(ErrorOf(tree.Find("whole")->AsUint64()),
            "f.yaml:2: expected a whole number >= 0, found '-3'; write a number such as 3");
  EXPECT_EQ(ErrorOf(list.AsUint64()),
            "f.yaml:5: expected a whole number >= 0, found a list; write a number such as 3");
  EXPECT_EQ(ErrorOf(tree.Find("text")->AsBool()),
            "f.yaml:4: expected true or false, found 'hello'; write true or false");
  EXPECT_EQ(ErrorOf(tree.Find("map")->AsBool()),
            "f.yaml:6: expected true or false, found a map; write true or false");
  EXPECT_EQ(ErrorOf(list.AsString()), "f.yaml:5: expected a text, found a list; write a text");
  EXPECT_EQ(ErrorOf(tree.Find("text")->AsDoubles()),
            "f.yaml:4: expected a list of numbers, found a single value; write [a, b]");
  EXPECT_EQ(ErrorOf(list.AsDoubles(3)), "f.yaml:5: expected 3 numbers, found 2; give exactly 3");
  EXPECT_NE(ErrorOf(Tree("[1, x]").AsDoubles()).find("found 'x'"), std::string::npos);
}

TEST(Node, QuotedTextIsNeitherANumberNorATruthValue) {
  const Node tree = Tree("a: '1'\nb: 'true'\n");
  EXPECT_FALSE(tree.Find("a")->AsDouble().ok());
  EXPECT_FALSE(tree.Find("a")->AsInt64().ok());
  EXPECT_FALSE(tree.Find("a")->AsUint64().ok());
  EXPECT_FALSE(tree.Find("b")->AsBool().ok());
  EXPECT_EQ(*tree.Find("b")->AsString(), "true");
}

TEST(Node, GetSaysWhatIsMissingAndWhatComesNear) {
  const Node tree = Tree("max_speed: 1\n");
  EXPECT_TRUE(tree.Get("max_speed").ok());
  EXPECT_EQ(ErrorOf(tree.Get("max_sped")),
            "f.yaml:1: 'max_sped' is missing; add it (is 'max_speed' a misspelling of it?)");
  EXPECT_EQ(ErrorOf(tree.Find("max_speed")->Get("a")),
            "f.yaml:1: expected a map with 'a', found a single value; write a map");
  EXPECT_NE(ErrorOf(Node().Get("a")).find("found nothing"), std::string::npos);
  EXPECT_EQ(tree.Find("max_speed")->Find("a"), nullptr);
}

TEST(Node, SetMakesMapsOnTheWayAndRefusesPathsThroughValues) {
  Node tree = Tree("a: {b: 1}\nlist: [1, 2]\nleaf: 3\n");
  const Node value = Tree("7");
  ASSERT_TRUE(tree.Set("a.b", value).ok());
  ASSERT_TRUE(tree.Set("a.c.d", value).ok());
  ASSERT_TRUE(tree.Set("list.1", value).ok());
  EXPECT_EQ(*tree.Find("a")->Find("b")->AsInt64(), 7);
  EXPECT_EQ(*tree.Find("a")->Find("c")->Find("d")->AsInt64(), 7);
  EXPECT_EQ(*tree.Find("list")->items()[1].AsInt64(), 7);
  const auto refused = [&](const char* path) {
    return std::string(tree.Set(path, value).message());
  };
  EXPECT_NE(refused("a..b").find("empty key"), std::string::npos);
  EXPECT_NE(refused("list.2").find("'2' is not an element; the list has 2"), std::string::npos);
  EXPECT_NE(refused("list.x").find("not an element"), std::string::npos);
  EXPECT_NE(refused("leaf.x").find("lies below a single value"), std::string::npos);
}

}  // namespace
}  // namespace saferl
