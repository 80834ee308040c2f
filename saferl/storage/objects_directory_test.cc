// What is the directory's alone: rights, links, leftovers, damage, several programs, disks that
// fail. (kill -9 and power cuts: tests/crash.)
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/storage/objects.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::storage {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;

class DirectoryObjectsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Objects> Open() const {
    auto objects = OpenObjects({.url = "dir:" + root_});
    EXPECT_TRUE(objects.ok()) << objects.status();
    return objects.ok() ? *std::move(objects) : nullptr;
  }
  std::string Path(std::string_view sha256) const {
    return Cat(root_, "/", sha256.substr(0, 2), "/", sha256.substr(2));
  }
  size_t Temporaries() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(root_ + "/tmp"), fs::directory_iterator()));
  }

  const testing::TemporaryDirectory directory_{"objects"};
  const std::string root_ = directory_.path() + "/store";
  const std::string outside_ = directory_.path() + "/outside";
};

TEST_F(DirectoryObjectsTest, IsItsOwnersAlone) {
  const mode_t before = ::umask(0);
  const std::string sha256 = *Open()->Put("private");
  ::umask(before);
  struct stat info{};
  ASSERT_EQ(::stat(Path(sha256).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  for (const std::string& folder : {root_, root_ + "/tmp", root_ + "/" + sha256.substr(0, 2)}) {
    ASSERT_EQ(::stat(folder.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700U) << folder;
  }
}

TEST_F(DirectoryObjectsTest, LeftoversOfTheDeadAreRemovedThoseOfTheLivingStay) {
  const std::string sha256 = *Open()->Put("whole");
  const std::string dead = root_ + "/tmp/1-0", living = root_ + "/tmp/2-0";
  std::ofstream(dead) << "half";
  std::ofstream(living) << "half";
  const int held = ::open(living.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  EXPECT_EQ(*Open()->Get(sha256), "whole");
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(living));
  ::close(held);
  Open();
  EXPECT_EQ(Temporaries(), 0U);
}

TEST_F(DirectoryObjectsTest, LinksAreNotFollowed) {
  const auto objects = Open();
  const std::string in_shard = Sha256Hex("in a shard"), as_file = *objects->Put("as a file");
  fs::create_directory(outside_);
  std::ofstream(outside_ + "/secret") << "secret";
  // An object that is a link: not read, replaced as itself, removed as itself.
  fs::remove(Path(as_file));
  fs::create_symlink(outside_ + "/secret", Path(as_file));
  EXPECT_EQ(objects->Get(as_file).status().code(), StatusCode::kPermissionDenied);
  EXPECT_FALSE(*objects->Has(as_file));
  EXPECT_EQ(*objects->Put("as a file"), as_file);
  EXPECT_EQ(*objects->Get(as_file), "as a file");
  fs::remove(Path(as_file));
  fs::create_symlink(outside_ + "/secret", Path(as_file));
  EXPECT_TRUE(objects->Delete(as_file).ok());
  EXPECT_EQ(*ReadFile(outside_ + "/secret"), "secret");
  // A shard that is a link: nothing is written or removed through it.
  fs::create_directory_symlink(outside_, root_ + "/" + in_shard.substr(0, 2));
  EXPECT_EQ(objects->Put("in a shard").status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(objects->Get(in_shard).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(objects->Delete(in_shard).code(), StatusCode::kPermissionDenied);
  EXPECT_FALSE(objects->List([](std::string_view, uint64_t) {}).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(outside_), fs::directory_iterator()), 1);
  EXPECT_EQ(Temporaries(), 0U);
  // tmp that is a link: the store does not open.
  fs::remove_all(root_ + "/tmp");
  fs::create_directory_symlink(outside_, root_ + "/tmp");
  EXPECT_EQ(OpenObjects({.url = "dir:" + root_}).status().code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(fs::exists(outside_ + "/secret"));
}

TEST_F(DirectoryObjectsTest, AShardSwappedForALinkLetsNothingOut) {
  const auto objects = Open();
  const std::string shard = root_ + "/" + Sha256Hex("0").substr(0, 2);
  fs::create_directory(outside_);
  fs::create_directory(shard);
  fs::create_directory_symlink(outside_, directory_.path() + "/link");
  std::atomic<bool> stop = false;
  std::atomic<int> swaps = 0;
  std::thread attacker([&] {
    while (!stop) {
      swaps += ::syscall(SYS_renameat2, AT_FDCWD, (directory_.path() + "/link").c_str(), AT_FDCWD,
                         shard.c_str(), 2 /* exchange */) == 0;
    }
  });
  const Deadline patience = Deadline::After(30 * kNanosPerSecond);
  for (int puts = 0; (puts < 50 || swaps < 200) && !patience.Passed(); ++puts) {
    (void)objects->Put("0");
    (void)objects->Delete(Sha256Hex("0"));
  }
  stop = true;
  attacker.join();
  EXPECT_GE(swaps, 200);
  EXPECT_TRUE(fs::is_empty(outside_));
}

TEST_F(DirectoryObjectsTest, AnObjectThatIsNoFileDoesNotHoldItsReader) {
  const auto objects = Open();
  const std::string sha256 = *objects->Put("x");
  fs::remove(Path(sha256));
  ASSERT_EQ(::mkfifo(Path(sha256).c_str(), 0600), 0);
  EXPECT_EQ(objects->Get(sha256).status().code(), StatusCode::kPermissionDenied);
  EXPECT_FALSE(*objects->Has(sha256));
  EXPECT_EQ(*objects->Put("x"), sha256);
  EXPECT_EQ(*objects->Get(sha256), "x");
}

TEST_F(DirectoryObjectsTest, DamageIsNeverReturnedAndPutRepairsIt) {
  const auto objects = Open();
  const std::string bytes(1000, 'b'), sha256 = *objects->Put(bytes);
  for (const std::string& damaged :
       {std::string(), bytes.substr(1), bytes + "b", std::string(1000, 'c')}) {
    std::ofstream(Path(sha256), std::ios::trunc) << damaged;
    EXPECT_EQ(objects->Get(sha256).status().code(), StatusCode::kDataLoss);
    EXPECT_EQ(*objects->Put(bytes), sha256);
    EXPECT_EQ(*objects->Get(sha256), bytes);
  }
  fs::resize_file(Path(sha256), 1ULL << 40);  // sparse; never read into memory
  EXPECT_EQ(objects->Get(sha256).status().code(), StatusCode::kDataLoss);
}

TEST_F(DirectoryObjectsTest, StrangersInItAreNotListed) {
  const auto objects = Open();
  const std::string sha256 = *objects->Put("mine");
  std::ofstream(root_ + "/notes") << "x";
  std::ofstream(root_ + "/" + sha256.substr(0, 2) + "/notes") << "x";
  fs::create_directory(root_ + "/zz");
  std::vector<std::string> all;
  ASSERT_TRUE(objects->List([&](std::string_view name, uint64_t) { all.emplace_back(name); }).ok());
  EXPECT_THAT(all, ::testing::ElementsAre(sha256));
}

TEST_F(DirectoryObjectsTest, OpeningWhileOthersWriteHarmsNone) {
  std::atomic<bool> stop = false;
  std::thread opener([&] {
    while (!stop) Open();
  });
  std::vector<std::thread> writers;
  std::vector<Status> statuses(3);
  for (size_t t = 0; t < statuses.size(); ++t) {
    writers.emplace_back([&, t] {
      const auto objects = Open();
      for (int i = 0; i < 100 && statuses[t].ok(); ++i) {
        statuses[t] = objects->Put(Cat(i)).status();
        if (statuses[t].ok()) statuses[t] = objects->Get(Sha256Hex(Cat(i))).status();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  opener.join();
  for (const Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Temporaries(), 0U);
}

TEST_F(DirectoryObjectsTest, ADirectoryTakenAwayIsSaid) {
  const auto objects = Open();
  fs::rename(root_, root_ + ".away");
  EXPECT_TRUE(objects->Put("still the same directory").ok());
  fs::remove_all(root_ + ".away");
  EXPECT_EQ(objects->Put("gone").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(objects->Check().code(), StatusCode::kUnavailable);
}

TEST_F(DirectoryObjectsTest, APlaceThatIsNoDirectoryIsRefused) {
  std::ofstream(root_) << "a file";
  EXPECT_FALSE(OpenObjects({.url = "dir:" + root_}).ok());
  EXPECT_FALSE(OpenObjects({.url = "dir:" + root_ + "/below"}).ok());
}

/// What `body` answers in a process of its own, whose system calls and mounts may be spoilt.
std::string InChild(const auto& body) {
  int ends[2];
  if (::pipe(ends) != 0) return "pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string answer = body().ToString();
    (void)!::write(ends[1], answer.data(), answer.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string answer;
  char buffer[512];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return answer;
}

/// From now on this process' calls of that number fail.
bool Spoil(int call, int error) {
  const sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K,
               SECCOMP_RET_ERRNO | (static_cast<uint32_t>(error) & SECCOMP_RET_DATA)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(rules), const_cast<sock_filter*>(rules)};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(DirectoryObjectsTest, WhicheverCallFailsNothingIsAcknowledgedNorLeftBehind) {
#ifdef SYS_renameat
  constexpr int kRename = SYS_renameat;
#else
  constexpr int kRename = SYS_renameat2;
#endif
  const std::string before = *Open()->Put("before");
  const std::pair<int, StatusCode> errors[] = {{EIO, StatusCode::kUnavailable},
                                               {ENOSPC, StatusCode::kResourceExhausted}};
  const struct {
    int call;
    bool cold;
  } calls[] = {{SYS_mkdirat, true}, {SYS_fsync, true},  {SYS_fsync, false},
               {kRename, false},    {SYS_flock, false}, {SYS_write, false}};
  for (const auto& [call, cold] : calls) {
    for (const auto& [error, expected] : errors) {
      const pid_t child = ::fork();
      if (child == 0) {  // its exit status is the answer: a pipe would need the spoilt calls
        const auto objects = Open();
        if (!cold) (void)objects->Delete(*objects->Put("new"));  // its shard is there and durable
        if (!Spoil(call, error)) ::_exit(1);
        if (objects->Put("new").status().code() != expected) ::_exit(2);
        if (Temporaries() != 0) ::_exit(3);
        ::_exit(*objects->Get(before) == "before" ? 0 : 4);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      EXPECT_TRUE(WIFEXITED(status));
      EXPECT_EQ(WEXITSTATUS(status), 0) << "call " << call << " error " << error;
      EXPECT_EQ(Temporaries(), 0U);
    }
  }
  EXPECT_TRUE(Open()->Put("new").ok());
}

TEST_F(DirectoryObjectsTest, AFullDiskRefusesLeavesNothingAndRecovers) {
  const auto scenario = [&]() -> Status {
    const uid_t uid = ::geteuid();
    if (::unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0) {
      return absl::InternalError("unshare");
    }
    if (uid != 0) std::ofstream("/proc/self/uid_map") << Cat("0 ", uid, " 1");
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    fs::create_directories(root_);
    if (::mount("tmpfs", root_.c_str(), "tmpfs", 0, "size=2m") != 0) {
      return absl::InternalError("no small file system");
    }
    const auto objects = Open();
    std::vector<std::string> kept;
    Status full;
    for (char c = 'a'; full.ok() && c <= 'z'; ++c) {
      const StatusOr<std::string> put = objects->Put(std::string(300 << 10, c));
      full = put.status();
      if (put.ok()) kept.push_back(*put);
    }
    if (!absl::IsResourceExhausted(full)) return full;
    if (kept.size() < 3) return absl::InternalError("full too early");
    if (Temporaries() != 0) return absl::InternalError("something was left behind");
    for (const std::string& sha256 : kept) SAFERL_RETURN_IF_ERROR(objects->Get(sha256).status());
    SAFERL_RETURN_IF_ERROR(objects->Delete(kept[0]));
    SAFERL_RETURN_IF_ERROR(objects->Put(std::string(300 << 10, 'A')).status());
    return objects->Check();
  };
  EXPECT_EQ(InChild(scenario), "OK");
}

}  // namespace
}  // namespace saferl::storage
