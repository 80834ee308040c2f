// What every object store does, whichever adapter it is.
#include "saferl/storage/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "saferl/base/hash.h"
#include "saferl/base/random.h"
#include "saferl/storage/testing/s3_server.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::storage {
namespace {

using absl::StatusCode;
using storage::testing::S3Server;
using storage::testing::TemporaryDirectory;

class DirectoryStore {
 public:
  ObjectsOptions options() const { return {.url = "dir:" + directory_.path() + "/new/objects"}; }

 private:
  TemporaryDirectory directory_{"objects"};
};

/// Each test has a bucket of its own on the program's one server.
class S3Store {
 public:
  ObjectsOptions options() const { return options_; }

 private:
  const ObjectsOptions options_ = S3Server::Shared().NewBucket();
};

template <class Store>
class ObjectsTest : public ::testing::Test {
 protected:
  void SetUp() override { objects_ = Open(); }
  std::unique_ptr<Objects> Open() {
    StatusOr<std::unique_ptr<Objects>> objects = OpenObjects(store_.options());
    EXPECT_TRUE(objects.ok()) << objects.status();
    return objects.ok() ? *std::move(objects) : nullptr;
  }
  std::vector<std::pair<std::string, uint64_t>> All() {
    std::vector<std::pair<std::string, uint64_t>> all;
    EXPECT_TRUE(
        objects_
            ->List([&](std::string_view sha256, uint64_t size) { all.emplace_back(sha256, size); })
            .ok());
    return all;
  }
  Store store_;
  std::unique_ptr<Objects> objects_;
};

using Stores = ::testing::Types<DirectoryStore, S3Store>;
TYPED_TEST_SUITE(ObjectsTest, Stores);

std::string RandomBytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.NextU64());
  return bytes;
}

TYPED_TEST(ObjectsTest, WhatWasPutIsGotByItsDigest) {
  const std::string odd("\0\r\n<xml>&\xff\xfe\xc3\x28", 14);
  for (const std::string& bytes :
       {std::string("hello"), std::string(), odd, RandomBytes(70000, 1)}) {
    const StatusOr<std::string> sha256 = this->objects_->Put(bytes);
    ASSERT_TRUE(sha256.ok()) << sha256.status();
    EXPECT_EQ(*sha256, Sha256Hex(bytes));
    const StatusOr<std::string> got = this->objects_->Get(*sha256);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(*got == bytes);
    EXPECT_TRUE(*this->objects_->Has(*sha256));
  }
}

TYPED_TEST(ObjectsTest, TheSameBytesAreKeptOnce) {
  const std::string first = *this->objects_->Put("twice");
  EXPECT_EQ(*this->objects_->Put("twice"), first);
  EXPECT_THAT(this->All(), ::testing::ElementsAre(::testing::Pair(first, 5)));
}

TYPED_TEST(ObjectsTest, WhatIsNotThereIsNotFound) {
  const std::string absent = Sha256Hex("never put");
  EXPECT_EQ(this->objects_->Get(absent).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(*this->objects_->Has(absent));
  EXPECT_TRUE(this->objects_->Delete(absent).ok());
}

TYPED_TEST(ObjectsTest, DeletedIsGoneAndCanComeBack) {
  const std::string sha256 = *this->objects_->Put("comes and goes");
  ASSERT_TRUE(this->objects_->Delete(sha256).ok());
  EXPECT_EQ(this->objects_->Get(sha256).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(this->All().empty());
  EXPECT_EQ(*this->objects_->Put("comes and goes"), sha256);
  EXPECT_TRUE(this->objects_->Get(sha256).ok());
}

TYPED_TEST(ObjectsTest, ListsEveryDigestInOrderWithItsSize) {
  std::vector<std::pair<std::string, uint64_t>> expected;
  for (size_t i = 0; i < 40; ++i) {
    const std::string bytes(i * 7, 'x');
    expected.emplace_back(*this->objects_->Put(bytes), bytes.size());
  }
  std::ranges::sort(expected);
  EXPECT_EQ(this->All(), expected);
}

TYPED_TEST(ObjectsTest, ANameThatIsNoDigestIsRefusedEverywhere) {
  const std::string good = *this->objects_->Put("good");
  std::string upper = good;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  const std::string dots = "../../../../../../../../../../../../../../../../../../../etc/passwd";
  for (const std::string& name :
       {std::string(), good.substr(1), good + "0", dots.substr(0, 64), std::string(64, '/'),
        std::string(64, '.'), std::string(64, '\0'), std::string("%2e%2e%2f"),
        good.substr(0, 63) + "g", good.substr(0, 63) + "\n", upper.substr(0, 63) + "A"}) {
    EXPECT_EQ(this->objects_->Get(name).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(this->objects_->Has(name).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(this->objects_->Delete(name).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(*this->objects_->Has(good));
}

TYPED_TEST(ObjectsTest, MoreThanTheLimitIsRefusedAndNothingIsLeft) {
  ObjectsOptions options = this->store_.options();
  options.max_bytes = 1000;
  const auto small = *OpenObjects(options);
  EXPECT_TRUE(small->Put(std::string(1000, 'a')).ok());
  EXPECT_EQ(small->Put(std::string(1001, 'a')).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(this->All().size(), 1U);
}

TYPED_TEST(ObjectsTest, OutlivesItsObject) {
  const std::string sha256 = *this->objects_->Put("still there");
  this->objects_.reset();
  this->objects_ = this->Open();
  EXPECT_EQ(*this->objects_->Get(sha256), "still there");
}

TYPED_TEST(ObjectsTest, ManyThreadsPutTheSameAndDifferent) {
  std::vector<std::thread> threads;
  std::vector<Status> statuses(4);
  for (size_t t = 0; t < statuses.size(); ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 25 && statuses[t].ok(); ++i) {
        const std::string shared = RandomBytes(3000, i);
        const std::string own = RandomBytes(3000, 1000 * (t + 1) + i);
        for (const std::string& bytes : {shared, own}) {
          const StatusOr<std::string> sha256 = this->objects_->Put(bytes);
          if (!sha256.ok()) {
            statuses[t] = sha256.status();
          } else if (const StatusOr<std::string> got = this->objects_->Get(*sha256); !got.ok()) {
            statuses[t] = got.status();
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(this->All().size(), 25U + 4 * 25U);
}

TYPED_TEST(ObjectsTest, ChecksItself) {
  EXPECT_TRUE(this->objects_->Check().ok());
  EXPECT_TRUE(this->All().empty());
}

TEST(OpenObjectsTest, AnUnknownStoreIsRefusedWithoutRepeatingItsSecrets) {
  for (const char* url : {"", "directory", "ftp://x/y", "dir:", "s3:/bucket"}) {
    const Status status = OpenObjects({.url = url}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("objects url"));
  }
}

}  // namespace
}  // namespace saferl::storage
