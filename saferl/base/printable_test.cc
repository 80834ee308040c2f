#include "saferl/base/printable.h"

#include <gtest/gtest.h>

namespace saferl {
namespace {

TEST(Printable, LeavesWordsOfAnyScriptAlone) {
  const std::string text = "arm7.yaml:3: \u00fcber \u6a5f\u5668 \U0001f9be ~";
  EXPECT_EQ(Printable(text), text);
}

TEST(Printable, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("\x1b[2J\n\t\x7f"), "\\x1b[2J\n\\x09\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");  // CSI in one character
  EXPECT_EQ(Printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, ShowsBytesThatAreNotUtf8) {
  for (const char* bad : {"\xff", "\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xf5\x80\x80\x80"}) {
    const std::string shown = Printable(bad);
    EXPECT_EQ(shown.size(), 4 * std::string_view(bad).size()) << shown;
    EXPECT_EQ(shown.substr(0, 2), "\\x") << shown;
  }
}

}  // namespace
}  // namespace saferl
