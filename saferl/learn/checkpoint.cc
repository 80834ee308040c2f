// Checkpoint bytes (little-endian), written and read by Trainer:
//   "SAFERLCK" | u32 version | text config (YAML, with threads = 1) | state, in the order of
//   Write() below | 32 bytes SHA-256 of everything before
// A vector is u64 count + elements; a text likewise. Unfinished episodes are kept as seed + actions
// and replayed.
#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/learn/bytes.h"
#include "saferl/learn/trainer.h"

namespace saferl::learn {
namespace {

constexpr std::string_view kMagic = "SAFERLCK";
constexpr uint32_t kVersion = 3;
constexpr size_t kDigestBytes = 32;

std::string Identity(TrainConfig config) {
  config.threads = 1;
  return PrintTrainConfig(config);
}

void Put(const Adam& adam, ByteWriter* w) {
  w->PutAll(adam.m);
  w->PutAll(adam.v);
  w->Put(adam.step);
}
void Get(ByteReader* r, Adam* adam) {
  const size_t n = adam->m.size();
  adam->m = r->GetAll<float>();
  adam->v = r->GetAll<float>();
  adam->step = r->Get<int64_t>();
  if (adam->m.size() != n || adam->v.size() != n) r->Fail();
}

void Put(const Random& random, ByteWriter* w) {
  for (int i = 0; i < 4; ++i) w->Put(random.state()[i]);
}
void Get(ByteReader* r, Random* random) {
  uint64_t words[4];
  for (uint64_t& word : words) word = r->Get<uint64_t>();
  random->set_state(words);
}

void Put(const Normaliser& n, ByteWriter* w) {
  w->Put(n.count);
  w->PutAll(n.mean);
  w->PutAll(n.m2);
}
void Get(ByteReader* r, Normaliser* n) {
  const size_t size = n->mean.size();
  n->count = r->Get<double>();
  n->mean = r->GetAll<double>();
  n->m2 = r->GetAll<double>();
  if (n->mean.size() != size || n->m2.size() != size) return r->Fail();
  n->Refresh();
}

// Only what Aim() reads: episodes and mean_cost.
void Put(const EpisodeStats& stats, ByteWriter* w) {
  w->Put(stats.episodes);
  w->Put(stats.mean_cost);
}
void Get(ByteReader* r, EpisodeStats* stats) {
  *stats = {};
  stats->episodes = r->Get<int>();
  stats->mean_cost = r->Get<std::array<double, kMaxCosts>>();
}

void Put(const Candidate& c, ByteWriter* w) {
  w->Put<uint8_t>(c.present ? 1 : 0);
  if (!c.present) return;
  w->Put(c.excess);
  w->Put(c.iteration);
  w->PutAll(c.params);
  Put(c.normaliser, w);
  w->Put(c.check);
}
void Get(ByteReader* r, size_t n_params, int n_obs, Candidate* c) {
  *c = Candidate();
  const auto present = r->Get<uint8_t>();
  if (present > 1) r->Fail();
  c->present = present == 1;
  if (!c->present) return;
  c->excess = r->Get<double>();
  c->iteration = r->Get<int>();
  c->params = r->GetAll<float>();
  c->normaliser = Normaliser(n_obs);
  Get(r, &c->normaliser);
  c->check = r->Get<Evaluation>();
  if (c->params.size() != n_params) r->Fail();
}

void Put(const CopyState& copy, ByteWriter* w) {
  Put(copy.random, w);
  w->Put(copy.episode_seed);
  w->PutAll(copy.actions);
  w->Put(copy.episode_return);
  w->Put(copy.episode_cost);
  w->Put(copy.t);
}
CopyState GetCopy(ByteReader* r, int n_act) {
  CopyState copy;
  Get(r, &copy.random);
  copy.episode_seed = r->Get<uint64_t>();
  copy.actions = r->GetAll<float>();
  copy.episode_return = r->Get<double>();
  copy.episode_cost = r->Get<std::array<double, kMaxCosts>>();
  copy.t = r->Get<int>();
  if (copy.t < 0 || copy.actions.size() != static_cast<size_t>(copy.t) * n_act) r->Fail();
  return copy;
}

std::string FirstDifference(const std::string& a, const std::string& b) {
  size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  const size_t begin = a.rfind('\n', at == 0 ? 0 : at - 1);
  const size_t from = begin == std::string::npos ? 0 : begin + 1;
  return a.substr(from, a.find('\n', at) - from);
}

}  // namespace

std::string Trainer::CheckpointBytes() const {
  ByteWriter w;
  for (const char c : kMagic) w.Put(c);
  w.Put(kVersion);
  w.PutText(Identity(config_));
  w.Put(iteration_);
  w.Put(steps_);
  w.PutAll(learner_->actor_params);
  w.PutAll(learner_->critic_params);
  Put(learner_->actor_adam, &w);
  Put(learner_->critic_adam, &w);
  w.Put(learner_->value_mean);
  w.Put(learner_->value_scale);
  w.PutAll(algorithm_->State());
  Put(normaliser_, &w);
  Put(random_, &w);
  w.PutAll(golden_);
  Put(best_, &w);
  w.Put(aim_.limit);
  Put(explored_, &w);
  for (const CopyState& copy : rollout_->copies()) Put(copy, &w);
  std::string bytes = w.Take();
  const Sha256Digest digest = Sha256Of(bytes);
  bytes.append(digest.begin(), digest.end());
  return bytes;
}

Status Trainer::RestoreCheckpoint(std::string_view bytes, std::string_view name) {
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(
        Cat(name, ": ", why, "; start training again or give the right checkpoint"));
  };
  if (bytes.size() < kMagic.size() + kDigestBytes || !bytes.starts_with(kMagic))
    return refuse("is not a checkpoint");
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestBytes);
  const Sha256Digest digest = Sha256Of(body);
  if (!std::equal(digest.begin(), digest.end(),
                  reinterpret_cast<const uint8_t*>(bytes.data() + body.size())))
    return refuse("is damaged (its SHA-256 does not match)");

  ByteReader r(body.substr(kMagic.size()));
  if (r.Get<uint32_t>() != kVersion) return refuse("was written by another version");
  const std::string theirs = r.GetText(), ours = Identity(config_);
  if (theirs != ours)
    return refuse(Cat("belongs to another run: it has '", FirstDifference(theirs, ours),
                      "', this run has '", FirstDifference(ours, theirs), "'"));

  // All is read and judged before anything of this run changes.
  const auto iteration = r.Get<int>();
  const auto steps = r.Get<int64_t>();
  const std::vector<float> actor = r.GetAll<float>(), critic = r.GetAll<float>();
  Adam actor_adam(static_cast<int>(actor.size())), critic_adam(static_cast<int>(critic.size()));
  Get(&r, &actor_adam);
  Get(&r, &critic_adam);
  const auto value_mean = r.Get<decltype(learner_->value_mean)>();
  const auto value_scale = r.Get<decltype(learner_->value_scale)>();
  const std::vector<double> state = r.GetAll<double>();
  Normaliser normaliser(spec().n_obs);
  Get(&r, &normaliser);
  Random random;
  Get(&r, &random);
  std::vector<float> golden = r.GetAll<float>();
  Candidate best;
  Get(&r, learner_->actor_params.size(), spec().n_obs, &best);
  CostLimits aim = aim_;
  aim.limit = r.Get<decltype(aim.limit)>();
  EpisodeStats explored;
  Get(&r, &explored);
  std::vector<CopyState> copies;
  for (int env = 0; env < config_.n_envs; ++env) copies.push_back(GetCopy(&r, spec().n_act));
  if (!r.at_end() || actor.size() != learner_->actor_params.size() ||
      critic.size() != learner_->critic_params.size() || state.size() != algorithm_->State().size())
    return refuse("does not have the size that its config says");
  if (iteration < 0 || iteration > config_.iterations || steps < 0 || explored.episodes < 0 ||
      golden.size() % static_cast<size_t>(spec().n_obs) != 0)
    return refuse("counts what no run counts (iterations, steps, episodes or golden rows)");

  iteration_ = iteration;
  steps_ = steps;
  learner_->actor_params = actor;
  learner_->critic_params = critic;
  learner_->actor_adam = std::move(actor_adam);
  learner_->critic_adam = std::move(critic_adam);
  learner_->value_mean = value_mean;
  learner_->value_scale = value_scale;
  algorithm_->SetState(state);
  normaliser_ = std::move(normaliser);
  random_ = random;
  golden_ = std::move(golden);
  best_ = std::move(best);
  aim_ = aim;
  explored_ = explored;
  algorithm_->SetLimits(aim_);
  rollout_->Restore(std::move(copies));
  return absl::OkStatus();
}

Status Trainer::SaveCheckpoint(const std::string& path) const {
  return WriteFileAtomic(path, CheckpointBytes());
}

Status Trainer::LoadCheckpoint(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return RestoreCheckpoint(bytes, path);
}

}  // namespace saferl::learn
