#include "saferl/control/shm.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::control {

namespace {

// The C record and the C++ one are the same bytes: one copy carries it over.
static_assert(sizeof(saferl_observation) == sizeof(robot::Observation));
static_assert(sizeof(saferl_part) == sizeof(robot::HumanPart));
static_assert(offsetof(saferl_observation, q) ==
              offsetof(robot::Observation, robot) + offsetof(robot::RobotState, q));
static_assert(offsetof(saferl_observation, interaction) ==
              offsetof(robot::Observation, interaction));
static_assert(offsetof(saferl_observation, n_parts) == offsetof(robot::Observation, n_parts));
static_assert(offsetof(saferl_observation, parts) == offsetof(robot::Observation, parts));
static_assert(offsetof(saferl_observation, lidar_m) == offsetof(robot::Observation, lidar_m));
static_assert(offsetof(saferl_part, stamp_ns) == offsetof(robot::HumanPart, stamp_ns));
static_assert(offsetof(saferl_part, region) == offsetof(robot::HumanPart, region));
static_assert(offsetof(saferl_part, track) == offsetof(robot::HumanPart, track));
// The offsets that docs/formats/shared_memory.md states.
static_assert(offsetof(saferl_shm, observation.value) == 192);
static_assert(offsetof(saferl_shm, human.value) == 4288 &&
              offsetof(saferl_shm, goals.value) == 4480);
static_assert(offsetof(saferl_shm, proposal.value) == 4800 &&
              offsetof(saferl_shm, request.value) == 4992);
static_assert(offsetof(saferl_shm, command.value) == 5120);
static_assert(offsetof(saferl_shm, decisions) == 5248 && offsetof(saferl_shm, slot) == 5312);
static_assert(sizeof(saferl_decision) == 4224 && sizeof(saferl_shm) == 2200768);
static_assert(SAFERL_MAX_DOF == robot::kMaxDof && SAFERL_MAX_GOALS == kMaxGoals);
static_assert(SAFERL_MAX_PARTS == robot::kMaxParts && SAFERL_MAX_LIDAR == robot::kMaxLidar);

/// Reads a channel into `*last`; a torn read leaves it as it was. True when a whole value came.
template <class T, class Channel>
bool Refresh(const Channel& channel, T* last) {
  T fresh;
  if (saferl_shm_get(&channel.lock, &channel.value, &fresh, sizeof fresh) == 0) return false;
  *last = fresh;
  return true;
}

/// The process that made the file, when it still lives; 0 otherwise.
int64_t LiveOwner(const std::string& path) {
  saferl_shm* shm = saferl_shm_attach(path.c_str());
  if (shm == nullptr) return 0;
  const int64_t pid = shm->creator_pid;
  munmap(shm, sizeof *shm);
  return pid > 0 && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM) ? pid : 0;
}

}  // namespace

StatusOr<std::unique_ptr<ShmEndpoint>> ShmEndpoint::Create(const std::string& path,
                                                           const robot::RobotModel& robot,
                                                           std::optional<int64_t> lease_ns) {
  std::unique_ptr<ShmEndpoint> endpoint(new ShmEndpoint());
  if (robot.name().size() >= sizeof endpoint->shm_->robot)
    return absl::InvalidArgumentError(
        Cat("robot name '", robot.name(), "' is longer than 31 characters; shorten it"));
  if (const int64_t pid = LiveOwner(path); pid != 0)
    return absl::UnavailableError(
        Cat(path, ": in use by process ", pid, "; stop it or give another --shm path"));
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return ErrnoStatus(errno, path, "cannot replace the shared memory");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, path, "cannot create the shared memory");
  endpoint->path_ = path;
  void* at = MAP_FAILED;
  if (ftruncate(fd, sizeof(saferl_shm)) == 0)
    at = mmap(nullptr, sizeof(saferl_shm), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  close(fd);
  if (at == MAP_FAILED) return ErrnoStatus(error, path, "cannot map the shared memory");
  saferl_shm* shm = static_cast<saferl_shm*>(at);
  endpoint->shm_ = shm;
  endpoint->lease_ns_ = lease_ns;
  std::memset(at, 0, sizeof(saferl_shm));  // every page is there before the first tick
  shm->version = SAFERL_SHM_VERSION;
  shm->size = sizeof(saferl_shm);
  std::memcpy(shm->robot, robot.name().c_str(), robot.name().size() + 1);
  shm->kind = static_cast<uint32_t>(robot.kind());
  shm->n = static_cast<uint32_t>(robot.n());
  shm->period_ns = static_cast<uint64_t>(FromSeconds(robot.period_s()));
  shm->creator_pid = getpid();
  __atomic_store_n(&shm->magic, SAFERL_SHM_MAGIC, __ATOMIC_RELEASE);
  return endpoint;
}

ShmEndpoint::~ShmEndpoint() {
  if (shm_ != nullptr) munmap(shm_, sizeof *shm_);
  if (!path_.empty()) unlink(path_.c_str());
}

void ShmEndpoint::Read(int64_t now_ns, TickInput* input) {
  if (SAFERL_GET(shm_, observation, &observation_scratch_) != 0)
    observation_ = observation_scratch_;
  std::memcpy(static_cast<void*>(&input->observation), &observation_, sizeof observation_);

  Refresh(shm_->human, &human_);
  input->human.stamp_ns = human_.stamp_ns;
  input->human.sequence = human_.sequence;
  std::memcpy(input->human.u.data(), human_.u, sizeof human_.u);
  input->human.enabled = human_.enabled != 0;
  input->human.stop = human_.stop != 0;
  input->human.acknowledge = human_.acknowledge != 0;

  Refresh(shm_->goals, &goals_);
  input->goals.n = goals_.n;
  for (size_t g = 0; g < SAFERL_MAX_GOALS; ++g)
    input->goals.p_W[g] = {goals_.p[g][0], goals_.p[g][1], goals_.p[g][2]};

  Refresh(shm_->proposal, &proposal_);
  input->policy.present = proposal_.present != 0;
  input->policy.stamp_ns = proposal_.stamp_ns;
  std::memcpy(input->policy.u.data(), proposal_.u, sizeof proposal_.u);

  Refresh(shm_->request, &request_);
  input->stop_requested = request_.stop != 0;
  const int64_t judged_ns =
      std::max(now_ns, observation_.stamp_ns);  // simulated time lives in the stamps
  // However long a lease it writes, a monitor that fell silent for lease_ns counts as gone; a stamp
  // of the future would let it count for longer.
  input->lease_ok =
      !lease_ns_ || (request_.stamp_ns <= judged_ns && judged_ns <= request_.lease_until_ns &&
                     Elapsed(request_.stamp_ns, judged_ns) <= *lease_ns_);
}

uint64_t ShmEndpoint::AwaitObservation(uint64_t mark, int64_t spin_ns, int64_t until_ns) const {
  if (SAFERL_WAIT(shm_, observation, mark, spin_ns, until_ns) == 0) return mark;
  return SAFERL_SEEN(shm_, observation) & ~uint64_t{1};
}

saferl_command CommandRecord(const Decision& decision) {
  saferl_command out{};
  out.issued_ns = decision.command.issued_ns;
  out.valid_for_ns = decision.command.valid_for_ns;
  out.sequence = decision.command.sequence;
  out.observation_sequence = decision.input.observation.sequence;
  std::memcpy(out.u, decision.command.u.data(), sizeof out.u);
  out.authority = decision.authority;
  out.mode = static_cast<uint8_t>(decision.command.mode);
  out.reason = static_cast<uint8_t>(decision.command.reason);
  out.intervened = decision.filter.intervened ? 1 : 0;
  return out;
}

void ShmEndpoint::Write(const Decision& decision) {
  saferl_command out = CommandRecord(decision);
  SAFERL_PUT(shm_, command, &out);

  const TickInput& in = decision.input;
  decision_.now_ns = in.now_ns;
  decision_.sequence = in.sequence;
  decision_.policy_id = decision.policy_id;
  decision_.stop_requested = in.stop_requested ? 1 : 0;
  decision_.lease_ok = in.lease_ok ? 1 : 0;
  decision_.gate_passed = decision.gate_passed ? 1 : 0;
  decision_.policy_used = decision.policy_used ? 1 : 0;
  decision_.proof = static_cast<uint8_t>(decision.filter.proof);
  decision_.filter_reason = static_cast<uint8_t>(decision.filter.reason);
  decision_.human.stamp_ns = in.human.stamp_ns;
  decision_.human.sequence = in.human.sequence;
  std::memcpy(decision_.human.u, in.human.u.data(), sizeof decision_.human.u);
  decision_.human.enabled = in.human.enabled ? 1 : 0;
  decision_.human.stop = in.human.stop ? 1 : 0;
  decision_.human.acknowledge = in.human.acknowledge ? 1 : 0;
  decision_.command = out;
  std::memcpy(&decision_.observation, &in.observation, sizeof decision_.observation);
  ++decision_.index;
  auto& slot = shm_->slot[decision_.index % SAFERL_STREAM_SLOTS];
  saferl_shm_put(&slot.lock, &slot.value, &decision_, sizeof decision_);
  __atomic_store_n(&shm_->decisions, decision_.index, __ATOMIC_RELEASE);
}

}  // namespace saferl::control
