#include "saferl/services/metered_stores.h"

#include "saferl/base/clock.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::services {
namespace {

const Status& StatusOf(const Status& status) { return status; }
template <class T>
const Status& StatusOf(const StatusOr<T>& result) {
  return result.status();
}

bool Failed(const Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

/// The metrics of one store.
class Meter {
 public:
  Meter(telemetry::Metrics* metrics, const char* store) : metrics_(*metrics, store) {}
  using Operation = telemetry::StorageMetrics::Operation;
  Operation Make(const char* name) { return metrics_.ForOperation(name); }
  template <class Call>
  auto Time(Operation* operation, Call call) {
    const int64_t start = Nanos();
    auto result = call();
    const Status& status = StatusOf(result);
    operation->duration.Observe(Seconds(Nanos() - start));
    const bool failed = Failed(status);
    (failed ? operation->failed : operation->ok).Add();
    metrics_.breaker_open.Set(absl::IsUnavailable(status) ? 1 : 0);
    return result;
  }
  void Looked(bool hit) { (hit ? metrics_.cache_hits : metrics_.cache_misses).Add(); }

 private:
  telemetry::StorageMetrics metrics_;
};

class MeteredDatabase final : public storage::Database {
 public:
  MeteredDatabase(std::unique_ptr<storage::Database> below, telemetry::Metrics* metrics)
      : below_(std::move(below)), meter_(metrics, "rows") {}
  StatusOr<storage::Rows> Query(std::string_view sql,
                                std::span<const storage::Value> parameters) override {
    return meter_.Time(&read_, [&] { return below_->Query(sql, parameters); });
  }
  Status Transact(const Body& body) override {
    return meter_.Time(&write_, [&] { return below_->Transact(body); });
  }
  StatusOr<storage::Rows> Execute(std::string_view sql,
                                  std::span<const storage::Value> parameters) override {
    return meter_.Time(&write_, [&] { return below_->Execute(sql, parameters); });
  }
  Status TransactExclusively(std::string_view name, const Body& body) override {
    return meter_.Time(&write_, [&] { return below_->TransactExclusively(name, body); });
  }
  Status Check() override {
    return meter_.Time(&check_, [&] { return below_->Check(); });
  }
  Status CheckIntegrity() override { return below_->CheckIntegrity(); }
  std::string_view kind() const override { return below_->kind(); }

 private:
  const std::unique_ptr<storage::Database> below_;
  Meter meter_;
  Meter::Operation read_ = meter_.Make("read"), write_ = meter_.Make("write"),
                   check_ = meter_.Make("check");
};

class MeteredObjects final : public storage::Objects {
 public:
  MeteredObjects(std::unique_ptr<storage::Objects> below, telemetry::Metrics* metrics)
      : below_(std::move(below)), meter_(metrics, "objects") {}
  StatusOr<std::string> Put(std::string_view bytes) override {
    return meter_.Time(&put_, [&] { return below_->Put(bytes); });
  }
  StatusOr<std::string> Get(std::string_view sha256) override {
    return meter_.Time(&get_, [&] { return below_->Get(sha256); });
  }
  StatusOr<bool> Has(std::string_view sha256) override {
    return meter_.Time(&get_, [&] { return below_->Has(sha256); });
  }
  Status Delete(std::string_view sha256) override {
    return meter_.Time(&delete_, [&] { return below_->Delete(sha256); });
  }
  Status List(const std::function<void(std::string_view sha256, uint64_t size)>& each) override {
    return meter_.Time(&list_, [&] { return below_->List(each); });
  }
  Status Check() override {
    return meter_.Time(&check_, [&] { return below_->Check(); });
  }
  std::string_view kind() const override { return below_->kind(); }

 private:
  const std::unique_ptr<storage::Objects> below_;
  Meter meter_;
  Meter::Operation put_ = meter_.Make("put"), get_ = meter_.Make("get"),
                   delete_ = meter_.Make("delete"), list_ = meter_.Make("list"),
                   check_ = meter_.Make("check");
};

class MeteredCache final : public storage::Cache {
 public:
  MeteredCache(std::unique_ptr<storage::Cache> below, telemetry::Metrics* metrics)
      : below_(std::move(below)), meter_(metrics, "cache") {}
  StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    auto found = meter_.Time(&get_, [&] { return below_->Get(key); });
    if (found.ok()) meter_.Looked(found->has_value());
    return found;
  }
  Status Set(std::string_view key, std::string_view value, double ttl_s) override {
    return meter_.Time(&set_, [&] { return below_->Set(key, value, ttl_s); });
  }
  Status Delete(std::string_view key) override {
    return meter_.Time(&delete_, [&] { return below_->Delete(key); });
  }
  StatusOr<int64_t> Add(std::string_view key, int64_t delta, double ttl_s) override {
    return meter_.Time(&add_, [&] { return below_->Add(key, delta, ttl_s); });
  }
  Status Publish(std::string_view channel, std::string_view message) override {
    return meter_.Time(&publish_, [&] { return below_->Publish(channel, message); });
  }
  StatusOr<std::unique_ptr<Subscription>> Subscribe(
      std::string_view channel, std::function<void(std::string_view message)> receive) override {
    return below_->Subscribe(channel, std::move(receive));
  }
  Status Check() override {
    return meter_.Time(&check_, [&] { return below_->Check(); });
  }
  std::string_view kind() const override { return below_->kind(); }

 private:
  const std::unique_ptr<storage::Cache> below_;
  Meter meter_;
  Meter::Operation get_ = meter_.Make("get"), set_ = meter_.Make("set"),
                   delete_ = meter_.Make("delete"), add_ = meter_.Make("add"),
                   publish_ = meter_.Make("publish"), check_ = meter_.Make("check");
};

}  // namespace

std::unique_ptr<storage::Database> Metered(std::unique_ptr<storage::Database> database,
                                           telemetry::Metrics* metrics) {
  return std::make_unique<MeteredDatabase>(std::move(database), metrics);
}
std::unique_ptr<storage::Objects> Metered(std::unique_ptr<storage::Objects> objects,
                                          telemetry::Metrics* metrics) {
  return std::make_unique<MeteredObjects>(std::move(objects), metrics);
}
std::unique_ptr<storage::Cache> Metered(std::unique_ptr<storage::Cache> cache,
                                        telemetry::Metrics* metrics) {
  return std::make_unique<MeteredCache>(std::move(cache), metrics);
}

}  // namespace saferl::services
