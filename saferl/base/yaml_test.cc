#include "saferl/base/yaml.h"

#include <gtest/gtest.h>

#include "saferl/base/random.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

std::string ErrorOf(std::string_view text) {
  const StatusOr<Node> node = ParseYaml(text, "f.yaml");
  return node.ok() ? "no error" : Cat(node.status().message());
}

TEST(Yaml, ParsesToATreeWithLines) {
  const StatusOr<Node> node =
      ParseYaml("a: 1\nb:\n  - x\n  - {c: 'q', d: ~}\ne: |\n  text\n", "f.yaml");
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(*node->Find("a")->AsInt64(), 1);
  const Node& list = *node->Find("b");
  ASSERT_EQ(list.items().size(), 2u);
  EXPECT_EQ(list.items()[0].Location(), "f.yaml:3");
  EXPECT_TRUE(list.items()[1].Find("c")->quoted());
  EXPECT_TRUE(list.items()[1].Find("d")->is_null());
  EXPECT_EQ(node->Find("e")->text(), "text\n");
}

TEST(Yaml, EmptyTextIsNull) {
  EXPECT_TRUE(ParseYaml("", "f")->is_null());
  EXPECT_TRUE(ParseYaml("# only a comment\n", "f")->is_null());
}

TEST(Yaml, DuplicateKeysAreRefusedWithTheLine) {
  EXPECT_EQ(ErrorOf("a: 1\nb: 2\na: 3\n"), "f.yaml:3: key 'a' appears twice; keep one");
  EXPECT_EQ(ErrorOf("x: {a: 1, a: 2}"), "f.yaml:1: key 'a' appears twice; keep one");
}

TEST(Yaml, AnchorsAliasesTagsAndSecondDocumentsAreRefused) {
  EXPECT_NE(ErrorOf("a: &x [1]\nb: [*x, *x]\n").find("anchors"), std::string::npos);
  EXPECT_NE(ErrorOf("a: *x\n"), "no error");
  EXPECT_NE(ErrorOf("a: !!int 3\n").find("tags"), std::string::npos);
  EXPECT_NE(ErrorOf("a: 1\n---\nb: 2\n").find("second document"), std::string::npos);
  EXPECT_NE(ErrorOf("? [a]\n: 1\n").find("plain text"), std::string::npos);
}

TEST(Yaml, ControlCharactersAreRefusedWithTheLine) {
  for (const char* text : {"a: 1\nb: \"\\e[2J\"\n", "a: 1\n\"b\\x7f\": 2\n", "a: 1\nb: \"\\0\"\n"})
    EXPECT_EQ(ErrorOf(text).find("f.yaml:2: holds a control character"), 0u) << ErrorOf(text);
  EXPECT_EQ(ErrorOf("a: \"tab\\t and\\n line\"\n"), "no error");
}

TEST(Yaml, BrokenTextNamesTheLine) {
  EXPECT_EQ(ErrorOf("a: 1\nb: [1, 2\n").find("f.yaml:"), 0u);
  EXPECT_EQ(ErrorOf("a: 1\n b: 2\n").find("f.yaml:"), 0u);
  EXPECT_EQ(ErrorOf("a: \"x\n").find("f.yaml:"), 0u);
}

TEST(Yaml, DepthSizeAndCountAreBounded) {
  EXPECT_NE(ErrorOf(std::string(10'000, '[')), "no error");
  EXPECT_NE(ErrorOf(std::string(33, '[') + std::string(33, ']')).find("nested deeper"),
            std::string::npos);
  EXPECT_EQ(ErrorOf(std::string(32, '[') + std::string(32, ']')), "no error");
  EXPECT_FALSE(ParseYaml("[1,1,1]", "f", {.max_nodes = 3}).ok());
  EXPECT_FALSE(ParseYaml("a: 1", "f", {.max_bytes = 3}).ok());
}

TEST(Yaml, NoBytesCrashIt) {
  Random random(4);
  constexpr std::string_view kBits = "a:- \n[]{}'\"&*!|>%@#?,~01.\t\\";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int k = random.Index(40); k > 0; --k)
      text += kBits[static_cast<size_t>(random.Index(static_cast<int>(kBits.size())))];
    const StatusOr<Node> node = ParseYaml(text, "f.yaml");
    if (!node.ok()) {
      ASSERT_EQ(Cat(node.status().message()).find("f.yaml:"), 0u) << text;
    }
  }
}

}  // namespace
}  // namespace saferl
