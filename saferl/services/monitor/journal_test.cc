// The journal: every change, gap, move and cut is found; what was acknowledged is there.
#include "saferl/services/monitor/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "saferl/base/file.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "journal_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    options_.folder = folder_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Journal> Open(std::vector<JournalEntry>* replayed = nullptr) {
    auto journal = Journal::Open(options_, [&](const JournalEntry& e) {
      if (replayed != nullptr) replayed->push_back(e);
    });
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? *std::move(journal) : nullptr;
  }
  void Write(int n) {
    const auto journal = Open();
    for (int i = 0; i < n; ++i) ASSERT_TRUE(journal->Append("note", Cat(R"({"i":)", i, "}")).ok());
  }
  std::vector<std::string> Files() { return *JournalFiles(folder_); }
  std::string Read(const std::string& name) { return *ReadFile(folder_ + "/" + name); }
  void Put(const std::string& name, std::string_view bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  JournalReport Verify() { return ReadJournal(folder_); }

  std::string folder_;
  JournalOptions options_;
};

TEST_F(JournalTest, KeepsEntriesInOrderThroughRestarts) {
  Write(5);
  std::vector<JournalEntry> replayed;
  {
    const auto journal = Open(&replayed);
    ASSERT_TRUE(journal->Append("more", R"("x y")").ok());
    EXPECT_EQ(journal->state().sequence, 6U);
  }
  ASSERT_EQ(replayed.size(), 5U);
  EXPECT_EQ(replayed[4].json, R"({"i":4})");
  const JournalReport report = Verify();
  EXPECT_TRUE(report.problem.ok()) << report.problem;
  EXPECT_EQ(report.first, 1U);
  EXPECT_EQ(report.last, 6U);
  EXPECT_EQ(report.torn_bytes, 0U);
}

TEST_F(JournalTest, EveryChangedByteIsFound) {
  Write(6);
  const std::string name = Files()[0], good = Read(name);
  Random random(3);
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << random.Index(8)));
    Put(name, bad);
    const JournalReport report = Verify();
    EXPECT_FALSE(report.problem.ok()) << "byte " << at << " of '" << good[at] << "'";
  }
  Put(name, good);
  EXPECT_TRUE(Verify().problem.ok());
}

TEST_F(JournalTest, RemovedMovedDoubledAndCutEntriesAreFound) {
  Write(6);
  const std::string name = Files()[0], good = Read(name);
  std::vector<std::string> lines;
  for (size_t at = 0; at < good.size();) {
    const size_t end = good.find('\n', at) + 1;
    lines.push_back(good.substr(at, end - at));
    at = end;
  }
  const auto put = [&](const std::vector<std::string>& all) {
    std::string bytes;
    for (const std::string& line : all) bytes += line;
    Put(name, bytes);
    return Verify();
  };
  for (size_t i = 1; i < lines.size(); ++i) {
    std::vector<std::string> removed = lines, doubled = lines, moved = lines;
    removed.erase(removed.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(put(removed).problem.ok()) << "removed " << i;
    doubled.insert(doubled.begin() + static_cast<ptrdiff_t>(i), lines[i]);
    const JournalReport report = put(doubled);  // the last one looks like an unfinished group
    EXPECT_TRUE(i + 1 < lines.size() ? !report.problem.ok() : report.torn_bytes > 0)
        << "doubled " << i;
    if (i + 1 == lines.size()) continue;
    std::swap(moved[i], moved[i + 1]);
    EXPECT_FALSE(put(moved).problem.ok()) << "moved " << i;
  }
  for (size_t cut = 0; cut < good.size(); ++cut) {  // at every byte: the head file knows better
    Put(name, good.substr(0, cut));
    EXPECT_FALSE(Verify().problem.ok()) << "cut at " << cut;
  }
  put(lines);
  std::filesystem::remove(folder_ + "/head");
  EXPECT_THAT(Verify().problem.ToString(), HasSubstr("head"));
  std::filesystem::remove(folder_ + "/" + name);
  Put("head", Cat("6 ", std::string(64, 'a'), "\n"));
  EXPECT_THAT(Verify().problem.ToString(), HasSubstr("the end is missing"));
}

TEST_F(JournalTest, ARewrittenEndIsFoundByItsHead) {
  Write(3);
  const std::string name = Files()[0], good = Read(name);
  JournalFile file = ParseJournal(good, name);
  JournalEntry forged = file.entries[2];
  forged.json = R"({"i":99})";
  const size_t last = good.rfind('\n', good.size() - 2) + 1;
  Put(name, good.substr(0, last) + EncodeEntry(file.entries[1].hash, &forged));
  EXPECT_THAT(Verify().problem.ToString(), HasSubstr("rewritten"));
}

TEST_F(JournalTest, ATornLastEntryIsCutOffAndReported) {
  Write(4);
  const std::string name = Files()[0], good = Read(name);
  Put(name, good + "5 123 note {\"i\":4");
  const JournalReport report = Verify();
  EXPECT_TRUE(report.problem.ok()) << report.problem;
  EXPECT_EQ(report.torn_bytes, 17U);
  {
    const auto journal = Open();
  }
  std::vector<JournalEntry> replayed;
  {
    const auto journal = Open(&replayed);
  }
  ASSERT_EQ(replayed.size(), 5U);
  EXPECT_EQ(replayed[4].kind, "torn");
  EXPECT_EQ(replayed[4].json, R"({"bytes":17})");
  EXPECT_TRUE(Verify().problem.ok());
}

TEST_F(JournalTest, ADamagedJournalIsNotWrittenTo) {
  Write(4);
  const std::string name = Files()[0];
  std::string bytes = Read(name);
  bytes[bytes.find("{\"i\":2}") + 5] = '7';
  Put(name, bytes);
  const auto journal = Journal::Open(options_);
  EXPECT_THAT(journal.status().ToString(), HasSubstr("entry 3"));
  EXPECT_EQ(Read(name), bytes);
}

TEST_F(JournalTest, FilesRotateAndOldOnesGoOnlyWithAWord) {
  options_.max_file_bytes = 600;
  options_.max_files = 3;
  Write(60);
  const std::vector<std::string> files = Files();
  EXPECT_EQ(files.size(), 3U);
  JournalReport report = Verify();
  EXPECT_TRUE(report.problem.ok()) << report.problem;
  EXPECT_GT(report.first, 30U);
  EXPECT_GT(report.last, 60U);  // the words about what went are entries too
  Write(1);
  // One file more than was announced is missing.
  const std::string second = Files()[1];
  std::filesystem::remove(folder_ + "/" + Files()[0]);
  EXPECT_THAT(Verify().problem.ToString(), HasSubstr("given up"));
  std::filesystem::remove(folder_ + "/" + second);
  EXPECT_FALSE(Verify().problem.ok());
}

TEST_F(JournalTest, AMissingFileInTheMiddleIsFound) {
  options_.max_file_bytes = 600;
  Write(30);
  ASSERT_GT(Files().size(), 3U);
  std::filesystem::remove(folder_ + "/" + Files()[1]);
  EXPECT_THAT(Verify().problem.ToString(), HasSubstr("missing"));
}

TEST_F(JournalTest, OneWriterAtATime) {
  const auto first = Open();
  EXPECT_THAT(Journal::Open(options_).status().ToString(), HasSubstr("another process"));
}

TEST_F(JournalTest, AFullQueueRefusesAndCounts) {
  options_.max_queue = 0;
  const auto journal = Open();
  EXPECT_FALSE(journal->Post("note", "1"));
  EXPECT_THAT(journal->Append("note", "1").ToString(), HasSubstr("queue is full"));
  EXPECT_EQ(journal->state().dropped, 2U);
}

TEST_F(JournalTest, AFolderThatCannotBeWrittenNamesItself) {
  options_.folder = "/proc/nothing";
  EXPECT_THAT(Journal::Open(options_).status().ToString(), HasSubstr("/proc/nothing"));
}

/// Wherever the writer of a new file dies, from before its first byte to within its first entry.
TEST_F(JournalTest, ANewFileCutAnywhereIsGoneOnFrom) {
  Write(3);
  const std::string head = Cat(3, " ", Verify().hash, "\n");
  options_.max_file_bytes = 1;  // each entry its own file
  Write(1);
  const std::string newest = Files().back(), whole = Read(newest);
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    Put(newest, whole.substr(0, cut));
    Put("head", head);
    const uint64_t kept = ReadJournal(folder_).last;
    ASSERT_GE(kept, 3U) << cut;
    options_.max_file_bytes = 8000;
    Write(2);
    const JournalReport report = Verify();
    ASSERT_TRUE(report.problem.ok()) << "cut at " << cut << ": " << report.problem;
    ASSERT_GE(report.last, kept + 2) << cut;
    for (const std::string& name : Files())
      if (name > newest) std::filesystem::remove(folder_ + "/" + name);
  }
}

/// Killed at random moments, again and again over the same folder: what was acknowledged is there,
/// in order, and the journal is whole.
TEST_F(JournalTest, KilledWritersLoseNothingThatTheyAcknowledged) {
  constexpr int kKills = 60;
  Random random(17);
  std::set<uint64_t> acknowledged;
  uint64_t torn = 0;
  options_.max_file_bytes = 8000;
  for (int round = 0; round < kKills; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto journal = Journal::Open(options_);
      if (!journal.ok()) _exit(9);
      for (uint64_t i = 0; i < 100'000; ++i) {
        const uint64_t id = static_cast<uint64_t>(round) * 1'000'000 + i;
        (void)(*journal)->Post("filler", Cat(id));
        if (!(*journal)->Append("note", Cat(id)).ok()) _exit(8);
        (void)!write(ends[1], &id, sizeof id);
      }
      _exit(0);
    }
    close(ends[1]);
    // After some acknowledgements, at any moment of the next entry.
    uint64_t id = 0;
    for (int due = 1 + random.Index(6); due > 0; --due) {
      ASSERT_EQ(read(ends[0], &id, sizeof id), static_cast<ssize_t>(sizeof id));
      acknowledged.insert(id);
    }
    usleep(static_cast<useconds_t>(random.Index(8000)));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    while (read(ends[0], &id, sizeof id) == sizeof id) acknowledged.insert(id);
    close(ends[0]);
    std::set<uint64_t> found;
    const JournalReport report = ReadJournal(folder_, [&](const JournalEntry& e) {
      if (e.kind == "note") found.insert(std::stoull(e.json));
    });
    ASSERT_TRUE(report.problem.ok()) << "round " << round << ": " << report.problem;
    torn += report.torn_bytes > 0;
    for (const uint64_t due : acknowledged)
      ASSERT_TRUE(found.contains(due)) << "lost " << due << " in round " << round;
  }
  EXPECT_GT(acknowledged.size(), 60U);
  std::printf("%zu acknowledged, 0 lost, %llu torn ends over %d kills\n", acknowledged.size(),
              static_cast<unsigned long long>(torn), kKills);
}

}  // namespace
}  // namespace saferl::services
