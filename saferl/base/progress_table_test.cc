#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "saferl/base/file.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

TEST(Progress, TextShowsShareRateAndTimeLeft) {
  EXPECT_EQ(Progress::Text("train", "steps", 50'000, 100'000, 10.0, "", true),
            "train [###############---------------]  50 %  5 k steps/s  0:10 left");
  EXPECT_EQ(Progress::Text("train", "steps", 100, 100, 10.0, "return 3.1", false),
            "train 100 %  10 steps/s  0:10 in all  return 3.1");
  EXPECT_EQ(Progress::Text("x", "ticks", 0, 100, 0.0, "", false), "x   0 %  0 ticks/s");
}

TEST(Progress, OutsideATerminalThereAreNoControlCharacters) {
  const std::string path = Cat(testing::TempDir(), "saferl_progress_", ::getpid());
  const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  {
    Progress progress("prove", "ticks", 10, false, fd);
    for (uint64_t i = 0; i <= 10; ++i) progress.Update(i);
  }
  {
    Progress silent("quiet", "ticks", 10, true, fd);
  }
  ::close(fd);
  const std::string text = *ReadFile(path);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.find("prove 100 %"), 0u);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  ::unlink(path.c_str());
}

TEST(Progress, CountsAndTimesForPeople) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(1'234'567), "1.23 M");
  EXPECT_EQ(HumanCount(999.9), "1 k");
  EXPECT_EQ(HumanTime(59.9), "0:59");
  EXPECT_EQ(HumanTime(3725), "1:02:05");
  EXPECT_EQ(HumanTime(NAN), "0:00");
}

TEST(Table, AlignsColumnsAlsoBesideWideCharacters) {
  Table table({"person", "goals", "note"});
  table.SetAlign(2, Table::Align::kLeft);
  table.Row({"expert", "10", "ok"}).Row({"größte", "7", ""}).Row({"x"});
  EXPECT_EQ(table.Text(),
            "person  goals  note\n"
            "-------------------\n"
            "expert     10  ok\n"
            "größte      7\n"
            "x\n");
}

TEST(Table, ColourIsOnlyPutInWhenAskedFor) {
  Table table({"a"});
  table.Row({{"bad", Colour::kBad}});
  EXPECT_EQ(table.Text(false).find('\033'), std::string::npos);
  EXPECT_NE(table.Text(true).find("\033[31mbad\033[0m"), std::string::npos);
}

TEST(Table, EveryColourHasItsCodeAndEndsWithTheText) {
  EXPECT_EQ(Coloured("x", Colour::kNone, true), "x");
  EXPECT_EQ(Coloured("x", Colour::kGood, true), "\033[32mx\033[0m");
  EXPECT_EQ(Coloured("x", Colour::kWarning, true), "\033[33mx\033[0m");
  EXPECT_EQ(Coloured("x", Colour::kBad, true), "\033[31mx\033[0m");
  EXPECT_EQ(Coloured("x", Colour::kDim, true), "\033[2mx\033[0m");
  EXPECT_EQ(Coloured("x", Colour::kBold, true), "\033[1mx\033[0m");
  EXPECT_EQ(Coloured("x", Colour::kBad, false), "x");
}

TEST(Table, FilesAndNoColorMeanNoColour) {
  const int fd = ::open("/dev/null", O_WRONLY);
  EXPECT_FALSE(WantsColour(fd));
  ::close(fd);
}

TEST(Table, SignificantDigits) {
  EXPECT_EQ(Significant(1234.5), "1.23e+03");
  EXPECT_EQ(Significant(0.012345), "0.0123");
  EXPECT_EQ(Significant(NAN), "-");
}

}  // namespace
}  // namespace saferl
