#include "saferl/services/inference/engine.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

/// A whole number, or `value` as it was when the parameter is absent.
Status ReadWhole(const Parameters& parameters, const std::string& name, int64_t* value) {
  const auto at = parameters.find(name);
  if (at == parameters.end()) return absl::OkStatus();
  const auto* number = std::get_if<int64_t>(&at->second);
  if (number == nullptr || *number < 0) return BadParameter(name, "send a whole number from 0 on");
  *value = *number;
  return absl::OkStatus();
}

Status TooLate(std::string_view why) {
  return absl::DeadlineExceededError(
      Cat("deadline: ", why, "; give more time or send less at once"));
}

/// Rows of the input as far as its bytes go; whether they fit is checked later.
int64_t RowsOf(const ServedModel& model, const InferRequest& request) {
  if (request.inputs.empty() || !HasRows(model.input)) return 1;
  int64_t row = sizeof(float);
  for (size_t i = 1; i < model.input.shape.size(); ++i)
    row *= std::max<int64_t>(1, model.input.shape[i]);
  return std::max<int64_t>(1, static_cast<int64_t>(request.inputs[0].bytes.size()) / row);
}

Status QueueFull(int most) {
  return absl::ResourceExhaustedError(
      Cat("queue: ", most, " requests of this rank or before it wait already; send less at once"));
}

}  // namespace

Engine::Engine(ModelHost* host, const EngineOptions& options) : host_(host), options_(options) {
  if (options_.slots <= 0)
    options_.slots = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (int i = 0; i < options_.slots; ++i)
    workers_.emplace_back([this, sweeps = i == 0] { Work(sweeps); });
}

Engine::~Engine() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

size_t Engine::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.size();
}

bool Engine::Before::operator()(const std::unique_ptr<Job>& a,
                                const std::unique_ptr<Job>& b) const {
  if (a->priority != b->priority) return a->priority < b->priority;
  if (a->deadline_ns != b->deadline_ns) return a->deadline_ns < b->deadline_ns;
  return a->arrival < b->arrival;
}

Status Engine::Prepare(Job* job) {
  const Parameters& parameters = job->call.request.parameters;
  job->deadline_ns = job->call.deadline_ns;
  if (!parameters.empty()) {
    int64_t priority = 0, timeout_us = 0;
    SAFERL_RETURN_IF_ERROR(ReadWhole(parameters, "priority", &priority));
    SAFERL_RETURN_IF_ERROR(ReadWhole(parameters, "timeout", &timeout_us));
    if (priority > 0) job->priority = priority;
    if (timeout_us > 0 && timeout_us < INT64_MAX / 2000) {
      const int64_t from = job->call.received_ns > 0 ? job->call.received_ns : Nanos();
      job->deadline_ns = std::min(job->deadline_ns, from + 1000 * timeout_us);
    }
  }
  if (job->deadline_ns <= Nanos()) return TooLate("it had passed when the request was read");
  SAFERL_ASSIGN_OR_RETURN(Place place, FindPlace(job->call));
  job->model = std::move(place.model);
  job->memory = std::move(place.memory);
  job->rows = RowsOf(*job->model, job->call.request);
  const int64_t one = job->model->cost_ns.load(std::memory_order_relaxed);
  const int64_t row = job->model->row_cost_ns.load(std::memory_order_relaxed);
  job->cost_ns = job->rows == 1 || row == 0 ? one * job->rows : row * job->rows;
  return absl::OkStatus();
}

bool Engine::TakeSlot() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (computing_ >= options_.slots) return false;
  ++computing_;
  return true;
}

/// What waits before a job of this rank, with what computes now; 0 while a slot is free: then it is
/// tried, which also corrects a cost that is wrong.
int64_t Engine::Ahead(const std::unique_ptr<Job>& job) const {
  if (computing_ < options_.slots) return 0;
  int64_t ahead = job->cost_ns;  // of what computes now nothing is known: take it for the same
  for (const std::unique_ptr<Job>& other : queue_) {
    if (Before()(job, other)) break;
    ahead += other->cost_ns / options_.slots;
  }
  return ahead;
}

Status Engine::Enter(std::unique_ptr<Job> job, const std::function<Done()>& done) {
  std::unique_ptr<Job> refused;
  bool handed = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job->arrival = ++arrivals_;
    const int64_t now = Nanos();
    if (job->queued_ns == 0) job->queued_ns = now;
    // Twice: what may wait until it is just in time is late as often as not, and a queue of half
    // that length keeps the slots as busy.
    const int64_t ahead = job->deadline_ns == INT64_MAX ? 0 : Ahead(job);
    if (ahead > 0 && now + job->cost_ns + 2 * ahead > job->deadline_ns)
      return TooLate("the work before this request, and its own, take longer");
    handed = computing_ < options_.slots;
    const bool full = !handed && static_cast<int>(queue_.size()) >= options_.max_queue;
    if (full && Before()(*std::prev(queue_.end()), job)) return QueueFull(options_.max_queue);
    job->done = done();
    job->model->metrics->queue_depth.Add(1);
    queue_.insert(std::move(job));
    if (handed) {
      ++computing_;
      ++handed_;
    } else if (full) {
      refused = std::move(queue_.extract(std::prev(queue_.end())).value());
      refused->model->metrics->queue_depth.Add(-1);
    }
  }
  if (handed) wake_.notify_one();
  if (refused != nullptr) refused->done(QueueFull(options_.max_queue));
  return absl::OkStatus();
}

StatusOr<InferResponse> Engine::Compute(Job* job, int64_t queued_ns) {
  const auto infer = [&] {
    return Infer(*job->model, std::move(job->call.request), job->call.transport, queued_ns,
                 job->turn.state());
  };
  if (tracer_ == nullptr || !job->call.trace.sampled) return infer();
  telemetry::Span span = tracer_->Start("infer", job->call.trace);
  span.Set("saferl.model", job->model->name);
  span.Set("saferl.model_version", job->model->version);
  span.Set("saferl.rows", job->rows);
  span.Set("saferl.queued_us", 1e-3 * static_cast<double>(queued_ns));
  StatusOr<InferResponse> answer = infer();
  if (!answer.ok()) span.Fail(Cat(answer.status().message()));
  return answer;
}

StatusOr<InferResponse> Engine::Answer(Job* job) {
  const int64_t start = Nanos();
  if (job->deadline_ns <= start) {
    job->model->statistics.fail.Add(start - job->call.received_ns);
    return TooLate("it passed while the request waited");
  }
  const int64_t queued = job->queued_ns == 0 ? 0 : start - job->queued_ns;
  StatusOr<InferResponse> answer = Compute(job, queued);
  if (!answer.ok()) return answer;  // says nothing of what an answer costs
  const int64_t cost = (Nanos() - start) / job->rows;
  std::atomic<int64_t>& known = job->rows == 1 ? job->model->cost_ns : job->model->row_cost_ns;
  const int64_t before = known.load(std::memory_order_relaxed);
  known.store(before == 0 ? cost : before + (cost - before) / 8, std::memory_order_relaxed);
  return answer;
}

/// What the caller's slot computes next: none, and the slot is released. A worker takes anything,
/// another thread only what is cheap.
std::vector<std::unique_ptr<Engine::Job>> Engine::Next(bool worker) {
  std::vector<std::unique_ptr<Job>> batch;
  bool hand = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    int64_t cost = 0;
    while (!queue_.empty() && static_cast<int>(batch.size()) < options_.batch) {
      const Job& next = **queue_.begin();
      cost += next.cost_ns;
      const bool cheap = cost <= kCallersNanos;
      if (batch.empty() ? !worker && !cheap : !cheap || next.model != batch[0]->model) break;
      batch.push_back(std::move(queue_.extract(queue_.begin()).value()));
      batch.back()->model->metrics->queue_depth.Add(-1);
    }
    if (batch.empty()) {
      hand = !queue_.empty();
      hand ? ++handed_ : --computing_;
    }
  }
  if (hand) wake_.notify_one();
  return batch;
}

void Engine::Drain(bool worker) {
  while (true) {
    const std::vector<std::unique_ptr<Job>> batch = Next(worker);
    if (batch.empty()) return;
    for (const std::unique_ptr<Job>& job : batch) {
      job->done(Answer(job.get()));
      job->turn = Turn();
    }
  }
}

void Engine::Release() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (queue_.empty()) {
      --computing_;
      return;
    }
    ++handed_;
  }
  wake_.notify_one();
}

void Engine::Work(bool sweeps) {
  // A sequence that nobody goes on with pins its version for at most 5/4 of its idle time.
  const auto period = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(std::clamp(options_.sequence_idle_s / 4, 0.001, 3600.0)));
  auto sweep = std::chrono::steady_clock::now() + period;
  const auto wanted = [this] { return stop_ || handed_ > 0; };
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    if (sweeps) {
      wake_.wait_until(lock, sweep, wanted);
    } else {
      wake_.wait(lock, wanted);
    }
    if (stop_ && handed_ == 0) return;
    const bool handed = handed_ > 0;
    if (handed) --handed_;
    lock.unlock();
    if (handed) Drain(true);
    if (sweeps && std::chrono::steady_clock::now() >= sweep) {
      const std::lock_guard<std::mutex> sequences(sequence_mutex_);
      ForgetIdle(Nanos());
      sweep = std::chrono::steady_clock::now() + period;
    }
    lock.lock();
  }
}

/// True: the caller holds a slot and computes the job. False: it is in the queue, or waits for its
/// turn, and what `done` made is called later.
StatusOr<bool> Engine::IsMine(Job* job, const std::function<Done()>& done) {
  SAFERL_RETURN_IF_ERROR(Prepare(job));
  SAFERL_ASSIGN_OR_RETURN(const bool waits, WaitsForTurn(job, done));
  if (waits) return false;
  if (job->cost_ns <= kCallersNanos && TakeSlot()) return true;
  SAFERL_RETURN_IF_ERROR(Enter(std::make_unique<Job>(std::move(*job)), done));
  return false;
}

void Engine::Submit(InferCall call, Done done) {
  Job job;
  job.call = std::move(call);
  const StatusOr<bool> mine = IsMine(&job, [&] { return std::move(done); });
  if (!mine.ok()) return done(mine.status());
  if (!*mine) return;
  done(Answer(&job));
  job.turn = Turn();
  Drain(false);
}

std::optional<StatusOr<InferResponse>> Engine::Try(InferCall call,
                                                   const std::function<Done()>& later) {
  Job job;
  job.call = std::move(call);
  SAFERL_ASSIGN_OR_RETURN(const bool mine, IsMine(&job, later));
  if (!mine) return std::nullopt;
  StatusOr<InferResponse> answer = Answer(&job);
  Release();
  return answer;
}

}  // namespace saferl::services
