#pragma once
// Tells a Safe RL API about a training run: begun, how far, ended (POST /api/v1/experiments).
//
// That the run cannot be begun there is an error, found before anything is learnt. After that a
// service that is away costs a warning, never the training. RT: no.

#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/learn/trainer.h"
#include "saferl/net/http_client.h"

namespace saferl::cli {

class TrainReport {
 public:
  /// `url`: of the API, as "http://127.0.0.1:8000".
  static StatusOr<std::unique_ptr<TrainReport>> Begin(const std::string& url,
                                                      const std::string& name,
                                                      const learn::TrainConfig& config);
  /// A report that was begun and never ended tells that the run failed.
  ~TrainReport();
  TrainReport(const TrainReport&) = delete;
  TrainReport& operator=(const TrainReport&) = delete;

  void Progress(const learn::IterationReport& report, const learn::TaskSpec& task);
  /// `stopped`: before the planned iterations.
  void Finish(bool stopped, const learn::Evaluation& test, const learn::TaskSpec& task,
              const std::string& package_sha256);
  const std::string& id() const { return id_; }

 private:
  explicit TrainReport(std::string url) : url_(std::move(url)) {}
  StatusOr<std::string> Post(const std::string& path, const std::string& body);
  void Tell(const std::string& path, const std::string& body);

  std::string url_, id_;
  net::HttpClient client_;
  bool ended_ = false;
};

}  // namespace saferl::cli
