#include "saferl/storage/adapters.h"

#include <gtest/gtest.h>

namespace saferl::storage {
namespace {

TEST(WordsOf, FindsTheFirstWordAndTheHighestParameter) {
  EXPECT_EQ(WordsOf("select $1, $12 FROM t").parameters, 12u);
  EXPECT_EQ(WordsOf(" \n/* COMMIT $9 */ -- $8\n  Insert into t").first, "INSERT");
  EXPECT_EQ(WordsOf("/* $9 */ SELECT '$8', \"$7\", 'it''s $6' -- $5").parameters, 0u);
  EXPECT_EQ(WordsOf("SELECT '$1' || $2 || '$3").parameters, 2u);
  EXPECT_EQ(WordsOf("$").first, "");
  EXPECT_EQ(WordsOf("/*").parameters, 0u);
  EXPECT_EQ(WordsOf("").first, "");
}

TEST(Excerpt, IsOneShortLine) {
  EXPECT_EQ(Excerpt("SELECT\n\t1"), "SELECT  1");
  EXPECT_EQ(Excerpt(std::string(500, 'x')).size(), 123u);
}

}  // namespace
}  // namespace saferl::storage
