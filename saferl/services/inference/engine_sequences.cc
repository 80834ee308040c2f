// The part of Engine that knows sequences: which version and which memory a request belongs to, and
// whose turn it is.
#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/inference/engine.h"

namespace saferl::services {
namespace {

Status ReadTruth(const Parameters& parameters, const std::string& name, bool* value) {
  const auto at = parameters.find(name);
  if (at == parameters.end()) return absl::OkStatus();
  const bool* truth = std::get_if<bool>(&at->second);
  if (truth == nullptr) return BadParameter(name, "send true or false");
  *value = *truth;
  return absl::OkStatus();
}

/// Number or text; 0 and "" are no sequence.
Status ReadSequenceId(const Parameters& parameters, std::string* id) {
  const auto at = parameters.find("sequence_id");
  if (at == parameters.end()) return absl::OkStatus();
  if (const auto* text = std::get_if<std::string>(&at->second)) {
    if (text->size() > 128) return BadParameter("sequence_id", "send at most 128 bytes");
    *id = *text;
    return absl::OkStatus();
  }
  const auto* number = std::get_if<int64_t>(&at->second);
  if (number == nullptr || *number < 0)
    return BadParameter("sequence_id", "send a text or a whole number from 0 on");
  if (*number != 0) *id = Cat(*number);
  return absl::OkStatus();
}

}  // namespace

size_t Engine::sequences() const {
  const std::lock_guard<std::mutex> lock(sequence_mutex_);
  return sequences_.size();
}

Engine::Sequence::Sequence(std::shared_ptr<const ServedModel> of, int64_t now_ns)
    : model(std::move(of)), memory(MemoryOf(*model)), used_ns(now_ns) {
  model->metrics->sequences.Add(1);
  model->sequences.fetch_add(1, std::memory_order_relaxed);
}

Engine::Sequence::~Sequence() {
  model->sequences.fetch_sub(1, std::memory_order_relaxed);
  model->metrics->sequences.Add(-1);
}

std::shared_ptr<Engine::Memory> Engine::MemoryOf(const ServedModel& model) {
  return KeepsState(model) ? std::make_shared<Memory>(model.session->state_size()) : nullptr;
}

void Engine::ForgetIdle(int64_t now_ns) {
  const auto idle = static_cast<int64_t>(options_.sequence_idle_s * 1e9);
  for (auto at = sequences_.begin(); at != sequences_.end();) {
    if (now_ns - at->second.used_ns < idle) {
      ++at;
      continue;
    }
    at->second.model->metrics->evicted_idle.Add();
    at = sequences_.erase(at);
  }
}

StatusOr<Engine::Place> Engine::BeginSequence(const std::string& id, bool end,
                                              const InferCall& call) {
  SAFERL_ASSIGN_OR_RETURN(
      std::shared_ptr<const ServedModel> model,
      host_->Resolve(call.model, call.version));  // may load: not under the lock
  const int64_t now = Nanos();
  const std::pair<std::string, std::string> key{call.model, id};
  const std::lock_guard<std::mutex> lock(sequence_mutex_);
  if (end) {
    sequences_.erase(key);
    return Place{model, MemoryOf(*model)};
  }
  if (static_cast<int>(sequences_.size()) >= options_.max_sequences) ForgetIdle(now);
  if (static_cast<int>(sequences_.size()) >= options_.max_sequences && !sequences_.contains(key))
    return absl::ResourceExhaustedError(Cat("sequence_id: ", options_.max_sequences,
                                            " sequences are open; end some, or let them idle for ",
                                            options_.sequence_idle_s, " s"));
  sequences_.erase(key);
  const auto at = sequences_
                      .emplace(std::piecewise_construct, std::forward_as_tuple(key),
                               std::forward_as_tuple(model, now))
                      .first;
  return Place{std::move(model), at->second.memory};
}

StatusOr<Engine::Place> Engine::FindSequence(const std::string& id, bool start, bool end,
                                             const InferCall& call) {
  if (start) return BeginSequence(id, end, call);
  const int64_t now = Nanos();
  const std::pair<std::string, std::string> key{call.model, id};
  const std::lock_guard<std::mutex> lock(sequence_mutex_);
  const auto at = sequences_.find(key);
  const auto idle = static_cast<int64_t>(options_.sequence_idle_s * 1e9);
  if (at != sequences_.end() && now - at->second.used_ns >= idle) {
    at->second.model->metrics->evicted_idle.Add();
    sequences_.erase(at);
    return absl::InvalidArgumentError(Cat("sequence_id: '", JsonEscape(id), "' of model '",
                                          call.model, "' was idle for ", options_.sequence_idle_s,
                                          " s and is lost; begin it with sequence_start"));
  }
  if (at == sequences_.end())
    return absl::InvalidArgumentError(
        Cat("sequence_id: '", JsonEscape(id), "' of model '", call.model,
            "' is not open here: it never began, has ended, or was idle for ",
            options_.sequence_idle_s, " s; its first request must carry sequence_start"));
  Place place{at->second.model, at->second.memory};
  const std::shared_ptr<const ServedModel>& model = place.model;
  if (!call.version.empty() && call.version != model->version) {
    const std::shared_ptr<const ServedModel> named = host_->Find(call.model, call.version);
    const bool alias = named != nullptr && named->version != call.version;
    if (!alias)
      return absl::InvalidArgumentError(Cat("sequence_id: '", JsonEscape(id), "' began on version ",
                                            model->version, "; name that one or none"));
  }
  at->second.used_ns = now;
  if (end) sequences_.erase(at);
  return place;
}

StatusOr<Engine::Place> Engine::FindPlace(const InferCall& call) {
  const Parameters& parameters = call.request.parameters;
  std::string sequence;
  bool start = false, end = false;
  if (!parameters.empty()) {
    SAFERL_RETURN_IF_ERROR(ReadSequenceId(parameters, &sequence));
    SAFERL_RETURN_IF_ERROR(ReadTruth(parameters, "sequence_start", &start));
    SAFERL_RETURN_IF_ERROR(ReadTruth(parameters, "sequence_end", &end));
  }
  if (!sequence.empty()) return FindSequence(sequence, start, end, call);
  SAFERL_ASSIGN_OR_RETURN(std::shared_ptr<const ServedModel> model,
                          host_->Resolve(call.model, call.version));
  if (!KeepsState(*model)) return Place{std::move(model), nullptr};
  return absl::InvalidArgumentError(
      Cat("sequence_id: missing; model '", JsonEscape(call.model),
          "' keeps a state from request to request: give those of one robot's episode the same "
          "sequence_id, and the first of them sequence_start"));
}

StatusOr<bool> Engine::WaitsForTurn(Job* job, const std::function<Done()>& done) {
  const std::shared_ptr<Memory> memory = job->memory;
  if (memory == nullptr) return false;
  const std::lock_guard<std::mutex> lock(memory->mutex);
  if (!memory->taken) {
    memory->taken = true;
    job->turn = Turn(this, memory);
    return false;
  }
  if (static_cast<int>(memory->waiting.size()) >= options_.max_turns)
    return absl::ResourceExhaustedError(Cat("sequence_id: ", options_.max_turns,
                                            " requests of this sequence wait for one another "
                                            "already; wait for their answers"));
  auto waiting = std::make_unique<Job>(std::move(*job));
  waiting->queued_ns = Nanos();
  waiting->done = done();
  memory->waiting.push_back(std::move(waiting));
  return true;
}

void Engine::PassTurn(const std::shared_ptr<Memory>& memory) {
  std::unique_ptr<Job> next;
  {
    const std::lock_guard<std::mutex> lock(memory->mutex);
    if (memory->waiting.empty()) {
      memory->taken = false;
      return;
    }
    next = std::move(memory->waiting.front());
    memory->waiting.pop_front();
  }
  next->turn = Turn(this, memory);
  Done done = std::move(next->done);
  if (Status refused = Enter(std::move(next), [&] { return std::move(done); }); !refused.ok())
    done(std::move(refused));
}

Engine::Turn::~Turn() {
  if (memory_ != nullptr) engine_->PassTurn(memory_);
}

Engine::Turn& Engine::Turn::operator=(Turn&& other) noexcept {
  const std::shared_ptr<Memory> before = std::exchange(memory_, std::move(other.memory_));
  if (before != nullptr) engine_->PassTurn(before);
  engine_ = other.engine_;
  return *this;
}

std::span<float> Engine::Turn::state() const {
  return memory_ == nullptr ? std::span<float>() : std::span<float>(memory_->state);
}

}  // namespace saferl::services
