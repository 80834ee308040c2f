// Any bytes as a checkpoint: this run goes on where it says, or it is refused with a message
// that begins with its name and the run is what it was before.
//
// An input is the edits of a real checkpoint, so that it reaches deep whatever the layout: first
// byte: which run (even: PPO-PID, odd: CPO); second: 1 = cut at the first edit; then edits of four
// bytes: u24 offset (modulo the size), u8 value. The digest is made to fit. An input that begins as
// a checkpoint does is taken as it is.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "saferl/base/hash.h"
#include "saferl/learn/trainer.h"

namespace {

using saferl::learn::AlgorithmId;
using saferl::learn::Trainer;

struct Run {
  std::unique_ptr<Trainer> trainer;
  std::string checkpoint;
};

Run Begin(AlgorithmId algorithm) {
  saferl::learn::TrainConfig config;
  config.task = "speed_track";
  config.algorithm = algorithm;
  config.threads = 1;
  config.n_envs = 2;
  config.rollout_steps = 10;
  config.hidden = {4};
  config.iterations = 2;
  config.evaluation_every = 1;
  config.evaluation_episodes = 2;
  config.ppo.minibatch = config.cpo.minibatch = 20;
  auto trainer = Trainer::Create(config);
  if (!trainer.ok()) std::abort();
  (*trainer)->Iterate();
  std::string checkpoint = (*trainer)->CheckpointBytes();
  return {*std::move(trainer), std::move(checkpoint)};
}

std::string Edited(const std::string& checkpoint, std::string_view edits) {
  std::string body = checkpoint.substr(0, checkpoint.size() - saferl::Sha256Digest{}.size());
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(edits[i]); };
  for (size_t at = 2; at + 4 <= edits.size(); at += 4) {
    const size_t offset =
        (byte(at) | size_t{byte(at + 1)} << 8 | size_t{byte(at + 2)} << 16) % body.size();
    if (edits[1] == 1) {
      body.resize(offset);
      break;
    }
    body[offset] = edits[at + 3];
  }
  const saferl::Sha256Digest digest = saferl::Sha256Of(body);
  return body.append(digest.begin(), digest.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Run runs[] = {Begin(AlgorithmId::kPpoPid), Begin(AlgorithmId::kCpo)};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size < 2) return 0;
  Run& run = runs[data[0] % 2];
  const std::string bytes =
      input.starts_with("SAFERLCK") ? std::string(input) : Edited(run.checkpoint, input);
  const std::string before = run.trainer->CheckpointBytes();
  const saferl::Status restored = run.trainer->RestoreCheckpoint(bytes, "fuzz.ck");
  const std::string after = run.trainer->CheckpointBytes();
  if (!restored.ok()) {
    if (after != before || restored.message().find("fuzz.ck: ") != 0) std::abort();
  } else if (after.size() != bytes.size() ||  // flags kept as numbers come back as 0 or 1
             !run.trainer->RestoreCheckpoint(after, "again").ok() ||
             run.trainer->CheckpointBytes() != after) {
    std::abort();
  }
  return 0;
}
