// What is SQLite's alone: the file, its lock, the one writer, and disks that fail.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <latch>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/storage/database.h"
#include "saferl/storage/file_lock.h"

namespace saferl::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / "saferl-sqlite-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    options_.url = "sqlite:" + directory_ + "/rows.db";
    options_.wait_s = 30;  // a slow disk is no failure
  }
  void TearDown() override {
    database_.reset();
    fs::remove_all(directory_);
  }
  void Open() {
    database_.reset();
    auto opened = OpenDatabase(options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
    ASSERT_TRUE(
        database_->Execute("CREATE TABLE IF NOT EXISTS kept (id bigint PRIMARY KEY, b bytea)")
            .ok());
  }
  /// With little patience, which is for what happens, not for making the table.
  void OpenImpatient() {
    ASSERT_NO_FATAL_FAILURE(Open());
    database_.reset();
    options_.wait_s = 0.05;
    const Deadline deadline = Deadline::After(30 * kNanosPerSecond);
    StatusOr<std::unique_ptr<Database>> opened;
    do opened = OpenDatabase(options_);
    while (!opened.ok() && !deadline.Passed());
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  /// Tries again while the machine is too busy to begin within the little patience.
  static Status Soon(const std::function<Status()>& call) {
    const Deadline deadline = Deadline::After(30 * kNanosPerSecond);
    Status status;
    do status = call();
    while (absl::IsUnavailable(status) && !deadline.Passed());
    return status;
  }
  Status Add(int64_t id, size_t bytes = 10) {
    return database_
        ->Execute("INSERT INTO kept (id, b) VALUES ($1, $2)", {id, Blob{std::string(bytes, 'x')}})
        .status();
  }
  int64_t Count() { return AsInt(database_->Query("SELECT count(*) FROM kept")->rows[0][0]); }

  /// Runs a scenario in a process of its own, whose disk or calls may be tampered with. It returns
  /// what is wrong.
  static std::string InChild(const std::function<Status()>& scenario) {
    int ends[2];
    if (::pipe(ends) != 0) return "no pipe";
    const pid_t pid = ::fork();
    if (pid == 0) {
      const std::string answer = scenario().ToString();
      (void)!::write(ends[1], answer.data(), answer.size());
      ::_exit(0);
    }
    ::close(ends[1]);
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
    ::close(ends[0]);
    ::waitpid(pid, nullptr, 0);
    return answer;
  }

  std::string directory_;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
};

TEST_F(SqliteTest, FilesAreTheirOwnersAlone) {
  std::ofstream(directory_ + "/rows.db").close();
  ASSERT_EQ(::chmod((directory_ + "/rows.db").c_str(), 0644), 0);
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_EQ(Add(1), absl::OkStatus());
  int files = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    struct stat info{};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 4);  // the file, its log, the log's index, the lock
}

TEST_F(SqliteTest, AnotherFileIsNotADatabase) {
  std::ofstream(directory_ + "/rows.db") << std::string(4096, 'z');
  const Status status = OpenDatabase(options_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("rows.db"));
  options_.url = "sqlite:" + directory_ + "/missing/rows.db";
  EXPECT_TRUE(absl::IsNotFound(OpenDatabase(options_).status()));
}

TEST_F(SqliteTest, DamageIsFound) {
  ASSERT_NO_FATAL_FAILURE(Open());
  for (int64_t i = 0; i < 200; ++i) ASSERT_EQ(Add(i, 2000), absl::OkStatus());
  database_.reset();
  {
    std::fstream file(directory_ + "/rows.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5 * 4096);
    file << std::string(3 * 4096, '\xA5');
  }
  ASSERT_NO_FATAL_FAILURE(Open());
  const Status status = database_->CheckIntegrity();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(SqliteTest, PragmasAndOtherFilesBelongToTheAdapter) {
  ASSERT_NO_FATAL_FAILURE(Open());
  for (const char* sql :
       {"PRAGMA synchronous=OFF", "ATTACH 'other.db' AS other", "VACUUM INTO 'x'", "COMMIT"}) {
    EXPECT_FALSE(database_->Query(sql).ok()) << sql;
    EXPECT_FALSE(database_->Execute(sql).ok()) << sql;
  }
  EXPECT_EQ(Add(1), absl::OkStatus());
}

TEST_F(SqliteTest, ParametersAreNumbered) {
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(AsText(database_->Query("SELECT $2 || $1 || $2", {"a", "b"})->rows[0][0]), "bab");
  EXPECT_TRUE(absl::IsInvalidArgument(database_->Query("SELECT ?", {1}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(database_->Query("SELECT :a", {1}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(database_->Query("SELECT $0", {1}).status()));
}

TEST_F(SqliteTest, WhoWaitsTooLongForTheWriterHasWrittenNothing) {
  ASSERT_NO_FATAL_FAILURE(OpenImpatient());
  std::latch begun(1), go(1);
  std::thread slow([&] {
    const auto body = [&](Transaction& t) -> Status {
      begun.count_down();
      go.wait();
      return t.Execute("INSERT INTO kept (id) VALUES (1)").status();
    };
    EXPECT_EQ(Soon([&] { return database_->Transact(body); }), absl::OkStatus());
  });
  begun.wait();
  const Status late = Add(2);
  EXPECT_TRUE(absl::IsUnavailable(late)) << late;
  go.count_down();
  slow.join();
  EXPECT_EQ(Soon([&] { return Add(3); }), absl::OkStatus());
  EXPECT_EQ(AsInt(database_->Query("SELECT sum(id) FROM kept")->rows[0][0]), 4);
}

TEST_F(SqliteTest, ThoseWhoWaitShareACommit) {
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_TRUE(database_->Execute("CREATE TABLE turns (n bigint)").ok());
  constexpr int kWaiting = 40;
  std::atomic<int> queued = 0;
  std::latch begun(1), go(1);
  std::thread first([&] {
    EXPECT_EQ(database_->Transact([&](Transaction&) {
      begun.count_down();
      go.wait();
      return absl::OkStatus();
    }),
              absl::OkStatus());
  });
  begun.wait();
  // While the writer is busy, all the others line up. A second connection sees their rows appear.
  std::vector<std::thread> waiting;
  std::vector<int64_t> seen_before(kWaiting);
  for (int i = 0; i < kWaiting; ++i) {
    waiting.emplace_back([&, i] {
      ++queued;
      EXPECT_EQ(database_->Transact([&, i](Transaction& t) -> Status {
        // A reader sees what is committed: in one commit, none of this group's rows.
        SAFERL_ASSIGN_OR_RETURN(const Rows outside, database_->Query("SELECT count(*) FROM turns"));
        seen_before[static_cast<size_t>(i)] = AsInt(outside.rows[0][0]);
        return t.Execute("INSERT INTO turns (n) VALUES ($1)", {i}).status();
      }),
                absl::OkStatus());
    });
  }
  while (queued < kWaiting) std::this_thread::yield();
  go.count_down();
  first.join();
  for (std::thread& thread : waiting) thread.join();
  std::set<int64_t> commits(seen_before.begin(), seen_before.end());
  EXPECT_LT(commits.size(), size_t{kWaiting} / 2) << "each had a commit of its own";
  EXPECT_EQ(AsInt(database_->Query("SELECT count(*) FROM turns")->rows[0][0]), kWaiting);
}

TEST_F(SqliteTest, ATransactionWithinATransactionIsRefused) {
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(database_->Transact([&](Transaction&) -> Status {
    EXPECT_TRUE(absl::IsFailedPrecondition(Add(1)));
    return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST_F(SqliteTest, AnotherProgramThatWritesIsWaitedForAndNamed) {
  ASSERT_NO_FATAL_FAILURE(OpenImpatient());
  auto lock = FileLock::Open(directory_ + "/rows.db.lock");
  ASSERT_TRUE(lock.ok());
  ASSERT_EQ((*lock)->Acquire(1), absl::OkStatus());
  const Status busy = Add(1);
  EXPECT_TRUE(absl::IsUnavailable(busy)) << busy;
  EXPECT_EQ(Count(), 0);  // reading goes on
  (*lock)->Release();
  EXPECT_EQ(Soon([&] { return Add(1); }), absl::OkStatus());
}

TEST_F(SqliteTest, OneThatIsTooLargeLeavesTheOthersOfItsGroup) {
  ASSERT_NO_FATAL_FAILURE(Open());
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4 << 20, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::latch start(9);
  std::vector<std::thread> threads;
  std::vector<Status> results(9);
  for (size_t i = 0; i < 9; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      results[i] = Add(static_cast<int64_t>(i), i == 4 ? 8 << 20 : 100);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(results[i].code(), i == 4 ? absl::StatusCode::kUnavailable : absl::StatusCode::kOk)
        << i << results[i];
  }
  EXPECT_EQ(Count(), 8);
  EXPECT_EQ(Add(4, 8 << 20), absl::OkStatus());
  EXPECT_EQ(database_->CheckIntegrity(), absl::OkStatus());
}

TEST_F(SqliteTest, AFullDiskRefusesAndRecovers) {
  const auto scenario = [&]() -> Status {
    const bool root = ::geteuid() == 0;
    const uid_t uid = ::geteuid();
    if (::unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) != 0)
      return absl::InternalError("unshare");
    if (!root) std::ofstream("/proc/self/uid_map") << Cat("0 ", uid, " 1");
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=2m") != 0) {
      return absl::InternalError("no small file system");
    }
    std::ofstream(directory_ + "/ballast") << std::string(600 << 10, 'b');
    Open();
    int64_t acknowledged = 0;
    Status full;
    while (full.ok() && acknowledged < 10'000) {
      full = Add(acknowledged, 8000);
      if (full.ok()) ++acknowledged;
    }
    if (!absl::IsUnavailable(full)) return full;
    if (Count() != acknowledged) return absl::DataLossError(Cat(Count(), " of ", acknowledged));
    fs::remove(directory_ + "/ballast");
    SAFERL_RETURN_IF_ERROR(Add(acknowledged, 8000));
    SAFERL_RETURN_IF_ERROR(database_->CheckIntegrity());
    Open();
    return Count() == acknowledged + 1 ? absl::OkStatus() : absl::DataLossError("after opening");
  };
  EXPECT_EQ(InChild(scenario), "OK");
}

TEST_F(SqliteTest, AfterAFailedSyncNothingIsWrittenAnyMore) {
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_EQ(Add(1), absl::OkStatus());
  database_.reset();
  const auto scenario = [&]() -> Status {
    const sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (EIO & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{std::size(rules), const_cast<sock_filter*>(rules)};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
      return absl::InternalError("no seccomp");
    }
    SAFERL_ASSIGN_OR_RETURN(database_, OpenDatabase(options_));
    const Status first = Add(2), second = Add(3);
    if (!absl::IsUnavailable(first)) return absl::InternalError(Cat("first: ", first.ToString()));
    if (!absl::IsUnavailable(second) ||
        second.message().find("a sync of the disk failed") == second.message().npos) {
      return absl::InternalError(Cat("second: ", second.ToString()));
    }
    if (database_->Check().ok()) return absl::InternalError("Check overlooks it");
    return Count() >= 1 ? absl::OkStatus() : absl::DataLossError("reading");
  };
  EXPECT_EQ(InChild(scenario), "OK");
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(AsInt(database_->Query("SELECT count(*) FROM kept WHERE id = 1")->rows[0][0]), 1);
  EXPECT_EQ(database_->CheckIntegrity(), absl::OkStatus());
}

}  // namespace
}  // namespace saferl::storage
