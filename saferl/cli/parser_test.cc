#include "saferl/cli/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

TEST(Parser, EachWordGoesToTheNextPositionalArgument) {
  const std::vector<std::string> words = {"registry", "show", "arm", "--json", "3"};
  const StatusOr<Parsed> parsed = ParseWords(Verbs(), words);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->args.text("MODEL"), "arm");
  EXPECT_EQ(parsed->args.text("VERSION"), "3");
  const std::vector<std::string> many = {"registry", "show", "arm", "3", "4"};
  EXPECT_FALSE(ParseWords(Verbs(), many).ok());
}

TEST(Parser, OptionsMayStandAnywhereAndTakeAnEqualsSign) {
  const std::vector<Verb> verbs = Verbs();
  const std::vector<std::string> words = {"replay", "--verify", "a.mcap", "--policy=p"};
  const StatusOr<Parsed> parsed = ParseWords(verbs, words);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->args.text("LOG"), "a.mcap");
  EXPECT_EQ(parsed->args.text("--policy"), "p");
  EXPECT_TRUE(parsed->args.flag("--verify"));
  EXPECT_FALSE(parsed->args.flag("--json"));
}

}  // namespace
}  // namespace saferl::cli
