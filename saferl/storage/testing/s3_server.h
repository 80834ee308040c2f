#pragma once
// A real S3 server that verifies signatures: Ceph's radosgw over a monitor, a manager and one
// object daemon in memory, without systemd, on free ports of this test's own. Plain HTTP and TLS.
//
// Starting takes about 5 s: share one per program (Shared). RT: no.

#include <memory>
#include <string>
#include <vector>

#include "saferl/storage/objects.h"
#include "saferl/storage/testing/process.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::storage::testing {

class S3Server {
 public:
  static StatusOr<std::unique_ptr<S3Server>> Start();
  /// The one of this program, started when first asked for, gone with the program. Aborts with the
  /// reason when it cannot start. Call it from the main thread.
  static S3Server& Shared();

  /// A new bucket, empty, and what a client needs to reach it.
  ObjectsOptions NewBucket(bool tls = false);
  const Certificates& certificates() const { return certificates_; }

  // The gateway; what it has stored stays.
  void Kill() { gateway_->Kill(); }
  void Pause() { gateway_->Pause(); }
  void Resume() { gateway_->Resume(); }
  Status Restart();

 private:
  S3Server() = default;
  Status WriteConfig();
  Status StartCluster();
  std::vector<std::string> Command(const std::string& program,
                                   const std::vector<std::string>& arguments) const;

  TemporaryDirectory directory_{"s3"};
  Certificates certificates_;
  int monitor_port_ = 0, port_ = 0, tls_port_ = 0, buckets_ = 0;
  std::string secret_;
  std::vector<std::unique_ptr<Process>> cluster_;
  std::unique_ptr<Process> gateway_;
};

}  // namespace saferl::storage::testing
