#include "saferl/base/file.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cerrno>

#include <filesystem>
#include <string>

namespace saferl {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() : dir_(testing::TempDir() + "saferl_file_" + std::to_string(::getpid())) {
    fs::create_directories(dir_);
  }
  ~FileTest() override { fs::remove_all(dir_); }
  std::string dir_;
};

TEST_F(FileTest, WhatIsWrittenIsReadBack) {
  const std::string path = dir_ + "/a.bin";
  const std::string data("a\0b\n", 4);
  ASSERT_TRUE(WriteFileAtomic(path, data).ok());
  EXPECT_EQ(*ReadFile(path), data);
  ASSERT_TRUE(WriteFileAtomic(path, "").ok());
  EXPECT_EQ(*ReadFile(path), "");
  EXPECT_TRUE(FileExists(path));
}

TEST_F(FileTest, LeavesNoTemporaryBehind) {
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/a", "x").ok());
  EXPECT_FALSE(WriteFileAtomic(dir_ + "/missing/a", "x").ok());
  fs::create_directory(dir_ + "/folder");
  EXPECT_FALSE(WriteFileAtomic(dir_ + "/folder", "x").ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 2);
}

TEST_F(FileTest, ErrorsNameThePath) {
  const Status missing = ReadFile(dir_ + "/none").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find(dir_ + "/none"), std::string::npos);
  EXPECT_EQ(ReadFile(dir_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(File, EveryErrorHasItsCodeAndANextStep) {
  const auto code = [](int error) { return ErrnoStatus(error, "p", "cannot").code(); };
  EXPECT_EQ(code(ENOENT), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(ENOTDIR), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(EACCES), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code(EROFS), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code(EISDIR), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(ENOSPC), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(EDQUOT), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(EIO), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrnoStatus(ENOSPC, "/a/b", "cannot write").message(),
            "/a/b: cannot write: No space left on device; free some space");
}

TEST_F(FileTest, AFullDiskIsSaid) {
  const Status full = WriteFileAtomic("/dev/full/x", "x");
  EXPECT_FALSE(full.ok());
  EXPECT_NE(full.message().find("/dev/full"), std::string::npos);
}

TEST_F(FileTest, RefusesMoreThanTheLimit) {
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/big", std::string(1000, 'x')).ok());
  EXPECT_TRUE(ReadFile(dir_ + "/big", 1000).ok());
  EXPECT_EQ(ReadFile(dir_ + "/big", 999).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile("/dev/zero", 1 << 20).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saferl
