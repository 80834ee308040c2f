#include "saferl/services/metered_stores.h"

#include <gtest/gtest.h>

#include <string>

#include "saferl/base/text.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::services {
namespace {

class MeteredStores : public testing::Test {
 protected:
  void ExpectLine(const std::string& line) const {
    const std::string text = metrics_.Text();
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << "\n" << text;
  }
  telemetry::Metrics metrics_;
};

TEST_F(MeteredStores, CountWhatIsAskedOfThem) {
  const storage::testing::TemporaryDirectory folder("metered");
  const auto database = Metered(
      storage::OpenDatabase({.url = Cat("sqlite:", folder.path(), "/rows.db")}).value(), &metrics_);
  EXPECT_EQ(database->kind(), "sqlite");
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a bigint PRIMARY KEY)").ok());
  ASSERT_TRUE(database->Execute("INSERT INTO t VALUES ($1)", {int64_t{1}}).ok());
  EXPECT_TRUE(
      absl::IsAlreadyExists(database->Execute("INSERT INTO t VALUES ($1)", {int64_t{1}}).status()));
  EXPECT_EQ(database->Query("SELECT a FROM t")->rows.size(), 1U);
  ExpectLine(R"(saferl_storage_operations_total{operation="write",outcome="ok",store="rows"} 3)");
  ExpectLine(
      R"(saferl_storage_operations_total{operation="write",outcome="failed",store="rows"} 0)");
  ExpectLine(R"(saferl_storage_operations_total{operation="read",outcome="ok",store="rows"} 1)");
  ExpectLine(R"(saferl_storage_breaker_open{store="rows"} 0)");

  const auto objects = Metered(
      storage::OpenObjects({.url = Cat("dir:", folder.path(), "/objects")}).value(), &metrics_);
  const std::string digest = objects->Put("bytes").value();
  EXPECT_EQ(objects->Get(digest).value(), "bytes");
  EXPECT_TRUE(absl::IsNotFound(objects->Get(std::string(64, 'a')).status()));
  ExpectLine(R"(saferl_storage_operations_total{operation="get",outcome="ok",store="objects"} 2)");
  ExpectLine(
      R"(saferl_storage_operation_duration_seconds_count{operation="put",store="objects"} 1)");

  const auto cache = Metered(storage::OpenCache({}).value(), &metrics_);
  ASSERT_TRUE(cache->Set("k", "v", 10).ok());
  EXPECT_TRUE(cache->Get("k")->has_value());
  EXPECT_FALSE(cache->Get("other")->has_value());
  ExpectLine(R"(saferl_cache_requests_total{outcome="hit",store="cache"} 1)");
  ExpectLine(R"(saferl_cache_requests_total{outcome="miss",store="cache"} 1)");
}

TEST_F(MeteredStores, AStoreThatIsAwayIsSeen) {
  const auto cache = Metered(
      storage::OpenCache({.url = "redis://127.0.0.1:1/0", .timeout_s = 0.2}).value(), &metrics_);
  EXPECT_TRUE(absl::IsUnavailable(cache->Get("k").status()));
  ExpectLine(
      R"(saferl_storage_operations_total{operation="get",outcome="failed",store="cache"} 1)");
  ExpectLine(R"(saferl_storage_breaker_open{store="cache"} 1)");
}

}  // namespace
}  // namespace saferl::services
