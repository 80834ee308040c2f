// Handlers that work elsewhere: in a pool, or in what a Later handler chose.
#include <boost/asio/post.hpp>

#include "saferl/net/connection_client.h"

namespace saferl::net {

Task<bool> Client::Respond(std::shared_ptr<Request> request, const Route& route, bool close) {
  if (route.run == Run::kInline) {
    co_return co_await Answer(*request, &route, server_.dispatcher.Call(route, *request), close);
  }
  auto response = std::make_shared<Response>();
  auto job = std::make_shared<PoolJob>();
  job->work = [this, self = shared_from_this(), request, response, &route] {
    *response = server_.dispatcher.Call(route, *request);
  };
  const Wait wait = co_await OnPool(route, job, request->deadline_ns);
  switch (wait) {
    case Wait::kDone:
      co_return co_await Answer(*request, &route, std::move(*response), close);
    case Wait::kFull:
      co_return co_await Answer(
          *request, &route,
          server_.dispatcher.Error(*request, 503, "the server is busy; try again later"), close);
    case Wait::kTimeout:
      request_ = std::make_shared<Request>();  // the handler may still read the old one
      co_return co_await Answer(
          *request, &route,
          server_.dispatcher.Error(*request, 504, "the server took too long and gave up"), close);
    case Wait::kAborted:
      co_return false;
  }
  co_return false;
}

std::function<void(Response)> Client::LaterOf::Take() {
  answer = std::make_shared<LateAnswer>();
  return [self = client->shared_from_this(), late = answer](Response response) mutable {
    late->response = std::move(response);
    // The connection is let go on its own thread.
    asio::io_context& loop = self->loop_;
    asio::post(loop, [self = std::move(self), late = std::move(late)] {
      late->done = true;
      self->wake_.cancel();
    });
  };
}

Task<bool> Client::Await(std::shared_ptr<Request> request, const Route& route,
                         std::shared_ptr<LateAnswer> late, bool close) {
  wake_.expires_at(
      std::chrono::steady_clock::time_point(std::chrono::nanoseconds(request->deadline_ns)));
  while (!late->done && !aborted_) {
    auto [error] = co_await wake_.async_wait(kResult);
    if (!error) break;
  }
  if (!late->done && aborted_) co_return false;
  Response response =
      late->done ? std::move(late->response)
                 : server_.dispatcher.Error(*request, 504, "the server took too long and gave up");
  co_return co_await Answer(*request, &route, std::move(response), close);
}

Task<Client::Wait> Client::OnPool(const Route& route, std::shared_ptr<PoolJob> job,
                                  int64_t deadline_ns) {
  const bool control = route.run == Run::kControl;
  WorkerPool& pool = control ? *server_.control : *server_.pool;
  const bool taken = pool.TrySubmit([this, self = shared_from_this(), job]() mutable {
    if (!job->abandoned) job->work();
    job->work = nullptr;
    // The connection is let go on its own thread.
    asio::post(loop_, [self = std::move(self), job = std::move(job)] {
      job->done = true;
      self->wake_.cancel();
    });
  });
  if (!taken) {
    ++(control ? server_.tally.control_full : server_.tally.pool_full);
    co_return Wait::kFull;
  }
  wake_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline_ns)));
  while (!job->done && !aborted_) {
    auto [error] = co_await wake_.async_wait(kResult);
    if (!error) break;
  }
  if (job->done) co_return Wait::kDone;
  job->abandoned = true;
  co_return aborted_ ? Wait::kAborted : Wait::kTimeout;
}

}  // namespace saferl::net
