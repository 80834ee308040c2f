#pragma once
// Engine: runs inference requests of every transport on the host's models. It finds the version
// (name, version, alias, or the one a sequence began on), decides who computes next, and says no
// early.
//
// Queue: a request that finds a free slot computes at once: nothing ever waits to be batched. What
// is measured to cost at most kCallersNanos does so on the caller's thread; more would keep that
// thread from the requests of others and goes to the engine's own, one for each slot. When all
// slots compute, requests wait in order of (priority, deadline, arrival); a slot that falls free
// takes up to `batch` of one model that wait already, as long as they are cheap together.
// Parameters: `priority` 1 is first, 0 or none stands for kDefaultPriority; `timeout` [us] from the
// request's first byte sets the deadline, the transport's own deadline may only shorten it.
// Admission: a request whose deadline has passed, or cannot be met by what is measured of its own
// cost and twice that of the work before it, is refused at once (kDeadlineExceeded: 504); with a
// full queue the last in order is refused (kResourceExhausted: 429), be it the new one or one that
// waits.
// Sequences: `sequence_id` (number or text; 0 and "" mean none), `sequence_start`, `sequence_end`.
// A sequence stays on the version that it began with, also over a reload or unload, until its end
// or `sequence_idle_s` without a request. A lost sequence is refused (kInvalidArgument), never
// silently begun anew. A model that keeps a state is asked in sequences only: each has its own,
// zeros at first, and its requests compute one after the other in the order of their arrival; one
// that failed, or came too late, left the state as it was. Threads: any. RT: no. Source: Triton's
// scheduling and stateful-model documents, for names and units.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/services/inference/model_host.h"
#include "saferl/telemetry/trace.h"

namespace saferl::services {

inline constexpr int64_t kDefaultPriority = 100;
inline constexpr int64_t kCallersNanos = 100'000;

struct EngineOptions {
  int slots = 0;  ///< computed at a time; 0: as many as the machine has cores
  int batch = 8;
  int max_queue = 256;
  int max_sequences = 4096;
  int max_turns = 64;  ///< requests of one sequence that wait for one another
  double sequence_idle_s = 60;
};

struct InferCall {
  std::string model, version;
  InferRequest request;
  telemetry::Transport transport = telemetry::Transport::kHttp;
  int64_t received_ns = 0;          ///< first byte, steady clock
  int64_t deadline_ns = INT64_MAX;  ///< of the transport, steady clock
  telemetry::SpanContext trace;     ///< of the request; empty: it has none
};

class Engine {
 public:
  using Done = std::move_only_function<void(StatusOr<InferResponse>)>;

  Engine(ModelHost* host, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Calls `done` once: before Submit returns, or later on another thread that computes.
  void Submit(InferCall call, Done done);
  /// The answer, when it is there at once; else nothing, and the function that `later` makes is
  /// called once, on another thread. Never waits.
  std::optional<StatusOr<InferResponse>> Try(InferCall call, const std::function<Done()>& later);

  ModelHost& host() { return *host_; }
  /// Before the first request: each that is sampled gets a span of what it waited and computed.
  void SetTracer(telemetry::Tracer* tracer) { tracer_ = tracer; }
  telemetry::Tracer* tracer() const { return tracer_; }
  size_t waiting() const;
  size_t sequences() const;

 private:
  struct Memory;
  /// While it lives it is the turn of this job in its sequence; then the next one's.
  class Turn {
   public:
    Turn() = default;
    Turn(Engine* engine, std::shared_ptr<Memory> memory)
        : engine_(engine), memory_(std::move(memory)) {}
    Turn(Turn&& other) noexcept = default;
    Turn& operator=(Turn&& other) noexcept;
    ~Turn();
    std::span<float> state() const;

   private:
    Engine* engine_ = nullptr;
    std::shared_ptr<Memory> memory_;
  };
  struct Job {
    std::shared_ptr<const ServedModel> model;
    std::shared_ptr<Memory> memory;  ///< of its sequence, where the model keeps a state
    Turn turn;
    InferCall call;
    Done done;
    int64_t priority = kDefaultPriority, deadline_ns = INT64_MAX;
    uint64_t arrival = 0;
    int64_t queued_ns = 0, cost_ns = 0, rows = 1;
  };
  struct Before {
    bool operator()(const std::unique_ptr<Job>& a, const std::unique_ptr<Job>& b) const;
  };
  using Queue = std::set<std::unique_ptr<Job>, Before>;
  /// What a model that keeps a state knows of a sequence.
  struct Memory {
    explicit Memory(size_t numbers) : state(numbers, 0.0F) {}
    std::vector<float> state;  ///< whose turn it is may change it
    std::mutex mutex;          ///< of the rest
    bool taken = false;
    std::deque<std::unique_ptr<Job>> waiting;
  };
  /// Where a request belongs.
  struct Place {
    std::shared_ptr<const ServedModel> model;
    std::shared_ptr<Memory> memory;
  };
  /// Counts itself in the gauge and holds its version in memory.
  struct Sequence {
    Sequence(std::shared_ptr<const ServedModel> of, int64_t now_ns);
    ~Sequence();
    Sequence(const Sequence&) = delete;
    Sequence& operator=(const Sequence&) = delete;
    const std::shared_ptr<const ServedModel> model;
    const std::shared_ptr<Memory> memory;
    int64_t used_ns;
  };
  static std::shared_ptr<Memory> MemoryOf(const ServedModel& model);

  Status Prepare(Job* job);
  StatusOr<bool> IsMine(Job* job, const std::function<Done()>& done);
  StatusOr<Place> FindPlace(const InferCall& call);
  StatusOr<Place> FindSequence(const std::string& id, bool start, bool end, const InferCall& call);
  StatusOr<Place> BeginSequence(const std::string& id, bool end, const InferCall& call);
  /// True: the job was taken to wait for its turn, and what `done` made is called later.
  StatusOr<bool> WaitsForTurn(Job* job, const std::function<Done()>& done);
  void PassTurn(const std::shared_ptr<Memory>& memory);
  void ForgetIdle(int64_t now_ns);
  bool TakeSlot();  ///< a free one, if there is
  /// Gives the job to a worker, at once or in its turn: `done` is asked for what to call then. Or
  /// says why not.
  Status Enter(std::unique_ptr<Job> job, const std::function<Done()>& done);
  int64_t Ahead(const std::unique_ptr<Job>& job) const;
  StatusOr<InferResponse> Answer(Job* job);
  StatusOr<InferResponse> Compute(Job* job, int64_t queued_ns);
  std::vector<std::unique_ptr<Job>> Next(bool worker);
  void Drain(bool worker);  ///< computes what waits, then lets go of the slot
  void Release();           ///< gives the slot to a worker when something waits, else frees it
  void Work(bool sweeps);

  ModelHost* host_;
  telemetry::Tracer* tracer_ = nullptr;
  EngineOptions options_;
  mutable std::mutex mutex_;
  int computing_ = 0;
  uint64_t arrivals_ = 0;
  Queue queue_;
  mutable std::mutex sequence_mutex_;
  std::map<std::pair<std::string, std::string>, Sequence> sequences_;  ///< model, id
  std::condition_variable wake_;
  int handed_ = 0;  ///< slots that no worker has taken yet
  bool stop_ = false;
  std::vector<std::thread> workers_;  ///< one for each slot
};

}  // namespace saferl::services
