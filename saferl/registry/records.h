#pragma once
// What the registry keeps, as plain data. Times are ns since 1970, digests 64 lower-case hex
// digits of SHA-256, versions positive numbers. RT: no.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::registry {

struct Tag {
  std::string key, value;
};
struct Alias {
  std::string alias;
  int64_t number = 0;
};

struct Model {
  std::string id, name, description;
  int64_t created_ns = 0, updated_ns = 0;
  std::vector<Tag> tags;
  std::vector<Alias> aliases;
};

/// Where a version came from. Read from the package's training record; a push may add to it, but
/// not contradict it. Empty: not known.
struct Lineage {
  std::string data;           ///< digest or name of the data or the task's worlds
  std::string code_commit;    ///< of the program that trained it
  std::string config_sha256;  ///< of the training configuration
  std::string seed, task, algorithm;
};

struct Version {
  std::string model_id, model;  ///< the model's name
  int64_t number = 0;
  std::string digest;  ///< of the package
  int64_t bytes = 0;
  std::string robot;   ///< the robot it was made for
  std::string author;  ///< who pushed it
  std::string description, stage, run_id, run_link;
  Lineage lineage;
  int64_t created_ns = 0, updated_ns = 0;
  bool quarantined = false;
  std::string quarantine_reason;
  std::vector<Tag> tags;
  std::vector<std::string> aliases;
};

/// What a package says about itself.
struct PackageFacts {
  std::string robot;
  int64_t bytes = 0;
  Lineage lineage;
};

struct PushRequest {
  std::string model;         ///< made when it is not there
  std::string_view package;  ///< verified before anything is kept
  std::string who;
  std::string description = {}, run_id = {}, run_link = {};
  int64_t number = 0;    ///< a number above every one given so far; 0: the next
  Lineage lineage = {};  ///< adds to what the package says
  bool create = true;    ///< false: an unknown model is kNotFound
};
struct Pushed {
  Version version;
  bool created = false;  ///< false: these bytes were there
};

struct Signature {
  std::string kind;    ///< "ed25519" or "oms" (OpenSSF Model Signing 1.0 bundle)
  std::string key_id;  ///< of the public key, see keyring.h
  std::string who;     ///< the key's owner by the keyring
  std::string body;    ///< base64 of 64 bytes, or the bundle's JSON
  int64_t at_ns = 0;
};
struct Approval {
  std::string who, digest, note;
  int64_t at_ns = 0;
};

struct Event {
  int64_t seq = 0, at_ns = 0;
  int64_t number = 0;     ///< 0: of the model
  std::string kind = {};  ///< "pushed", "alias", "stage", "signed", "approved", "quarantined" ...
  std::string who = {}, detail = {};
};

struct Garbage {
  std::vector<std::string> digests;
  int64_t bytes = 0;
  bool deleted = false;
};

/// One condition of a search; all must hold.
struct Condition {
  enum class Field { kName, kRunId, kDigest, kNumber, kTag, kStage } field = Field::kName;
  enum class Op { kEqual, kNotEqual, kLike, kLikeAnyCase, kIn, kAbove, kBelow } op = Op::kEqual;
  std::string key;  ///< of a tag
  std::vector<std::string> values;
};
struct Order {
  enum class By { kName, kNumber, kCreated, kUpdated } by = By::kName;
  bool descending = false;
};
struct Search {
  std::vector<Condition> where = {};
  std::vector<Order> order = {};  ///< then by name and, newest first, by number
  int64_t offset = 0;
  int64_t limit = 100;  ///< at most 1001
};

/// kInvalidArgument naming `what` when it is not 1 to 128 of A-Z a-z 0-9 . _ - (what URLs and
/// files may carry).
Status CheckName(std::string_view what, std::string_view name);
/// The same for an alias: no number, not "latest".
Status CheckAlias(std::string_view alias);
/// Decodes and verifies a package, golden vectors included, and reads its lineage.
StatusOr<PackageFacts> ReadFacts(std::string_view package, std::string_view source);

}  // namespace saferl::registry
