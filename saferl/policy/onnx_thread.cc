#include "saferl/policy/onnx_thread.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace saferl::policy {
namespace {

class Threaded final : public OnnxSession {
 public:
  explicit Threaded(std::unique_ptr<const OnnxSession> session) : session_(std::move(session)) {
    input_ = session_->input();
    output_ = session_->output();
    states_ = session_->states();
    thread_ = std::thread([this] { Work(); });
  }
  ~Threaded() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();  // before the session goes: what the thread holds is the session's
  }

  Status Run(std::span<const float> input, std::span<const int64_t> shape, std::span<float> state,
             std::string* output, std::vector<int64_t>* output_shape) const override {
    std::packaged_task<Status()> call(
        [&] { return session_->Run(input, shape, state, output, output_shape); });
    std::future<Status> answer = call.get_future();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      calls_.push_back(std::move(call));
    }
    wake_.notify_one();
    return answer.get();
  }

  StatusOr<std::unique_ptr<Bound>> Bind(std::span<float> input,
                                        std::span<const int64_t> input_shape,
                                        std::span<float> output,
                                        std::span<const int64_t> output_shape) const override {
    return session_->Bind(input, input_shape, output, output_shape);
  }

 private:
  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || !calls_.empty(); });
      if (calls_.empty()) return;
      std::packaged_task<Status()> call = std::move(calls_.front());
      calls_.pop_front();
      lock.unlock();
      call();
      lock.lock();
    }
  }

  const std::unique_ptr<const OnnxSession> session_;
  mutable std::mutex mutex_;
  mutable std::condition_variable wake_;
  mutable std::deque<std::packaged_task<Status()>> calls_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<const OnnxSession> OnOneThread(std::unique_ptr<const OnnxSession> session) {
  return std::make_unique<Threaded>(std::move(session));
}

}  // namespace saferl::policy
