#include "saferl/policy/onnx_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <set>
#include <stdexcept>
#include <thread>

namespace saferl::policy {
namespace {

/// Negates; notes the threads that compute and whether two did at a time.
class Negating final : public OnnxSession {
 public:
  struct Seen {
    std::set<std::thread::id> threads;
    std::atomic<int> inside{0};
    int most = 0, runs = 0;
    bool gone = false;
  };
  explicit Negating(Seen* seen) : seen_(seen) {
    input_ = {"x", {-1}};
    output_ = {"y", {-1}};
  }
  ~Negating() override { seen_->gone = true; }
  Status Run(std::span<const float> input, std::span<const int64_t> shape, std::span<float>,
             std::string* output, std::vector<int64_t>* output_shape) const override {
    seen_->most = std::max(seen_->most, ++seen_->inside);
    seen_->threads.insert(std::this_thread::get_id());
    ++seen_->runs;
    output->resize(input.size_bytes());
    for (size_t i = 0; i < input.size(); ++i) {
      const float y = -input[i];
      std::memcpy(output->data() + i * sizeof y, &y, sizeof y);
    }
    output_shape->assign(shape.begin(), shape.end());
    --seen_->inside;
    if (input[0] == 0) throw std::runtime_error("zero");
    return input[0] < 0 ? absl::InvalidArgumentError("negative") : absl::OkStatus();
  }
  StatusOr<std::unique_ptr<Bound>> Bind(std::span<float>, std::span<const int64_t>,
                                        std::span<float>, std::span<const int64_t>) const override {
    return absl::UnimplementedError("not asked");
  }

 private:
  Seen* seen_;
};

TEST(OnnxThread, ManyCallersGetTheirOwnAnswersFromOneThread) {
  Negating::Seen seen;
  {
    const auto session = OnOneThread(std::make_unique<Negating>(&seen));
    EXPECT_EQ(session->input().name, "x");
    EXPECT_EQ(session->output().shape, std::vector<int64_t>{-1});
    std::vector<std::jthread> callers;
    for (int c = 0; c < 8; ++c) {
      callers.emplace_back([&, c] {
        for (int i = 0; i < 200; ++i) {
          const float x[] = {static_cast<float>(1 + c), static_cast<float>(i)};
          const int64_t shape[] = {2};
          std::string bytes;
          std::vector<int64_t> out_shape;
          EXPECT_TRUE(session->Run(x, shape, {}, &bytes, &out_shape).ok());
          float y[2];
          ASSERT_EQ(bytes.size(), sizeof y);
          std::memcpy(y, bytes.data(), sizeof y);
          EXPECT_EQ(y[0], -x[0]);
          EXPECT_EQ(y[1], -x[1]);
          EXPECT_EQ(out_shape, std::vector<int64_t>{2});
        }
      });
    }
  }
  EXPECT_EQ(seen.runs, 1600);
  EXPECT_EQ(seen.threads.size(), 1u);
  EXPECT_FALSE(seen.threads.contains(std::this_thread::get_id()));
  EXPECT_EQ(seen.most, 1);
  EXPECT_TRUE(seen.gone);
}

TEST(OnnxThread, ErrorsAndExceptionsAreTheCallersAndTheThreadGoesOn) {
  Negating::Seen seen;
  const auto session = OnOneThread(std::make_unique<Negating>(&seen));
  const int64_t shape[] = {1};
  std::string bytes;
  std::vector<int64_t> out_shape;
  const float negative[] = {-1}, zero[] = {0}, one[] = {1};
  EXPECT_EQ(session->Run(negative, shape, {}, &bytes, &out_shape).message(), "negative");
  EXPECT_THROW((void)session->Run(zero, shape, {}, &bytes, &out_shape), std::runtime_error);
  EXPECT_TRUE(session->Run(one, shape, {}, &bytes, &out_shape).ok());
}

}  // namespace
}  // namespace saferl::policy
