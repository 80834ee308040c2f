#include "saferl/registry/schema.h"

namespace saferl::registry {
namespace {

// A model that was deleted has no name, a version that was deleted no live_digest: both columns
// are unique and take any number of nulls.
constexpr const char* kModels = R"sql(
CREATE TABLE registry_models (
  id text NOT NULL PRIMARY KEY, name text UNIQUE, last_name text NOT NULL,
  description text NOT NULL, created_ns bigint NOT NULL, updated_ns bigint NOT NULL);
CREATE TABLE registry_objects (
  digest text NOT NULL PRIMARY KEY, bytes bigint NOT NULL, put_ns bigint NOT NULL,
  collecting bigint NOT NULL);
CREATE TABLE registry_versions (
  model_id text NOT NULL REFERENCES registry_models (id), number bigint NOT NULL,
  digest text NOT NULL, live_digest text, bytes bigint NOT NULL, robot text NOT NULL,
  author text NOT NULL, description text NOT NULL, stage text NOT NULL, run_id text NOT NULL,
  run_link text NOT NULL, data text NOT NULL, code_commit text NOT NULL,
  config_sha256 text NOT NULL, seed text NOT NULL, task text NOT NULL, algorithm text NOT NULL,
  created_ns bigint NOT NULL, updated_ns bigint NOT NULL,
  PRIMARY KEY (model_id, number), UNIQUE (model_id, live_digest));
CREATE INDEX registry_versions_digest ON registry_versions (live_digest);
CREATE INDEX registry_versions_run ON registry_versions (run_id);
CREATE TABLE registry_aliases (
  model_id text NOT NULL, alias text NOT NULL, number bigint NOT NULL,
  PRIMARY KEY (model_id, alias),
  FOREIGN KEY (model_id, number) REFERENCES registry_versions (model_id, number));
CREATE TABLE registry_tags (
  model_id text NOT NULL REFERENCES registry_models (id), number bigint NOT NULL,
  key text NOT NULL, value text NOT NULL, PRIMARY KEY (model_id, number, key));
CREATE TABLE registry_signatures (
  digest text NOT NULL, kind text NOT NULL, key_id text NOT NULL, who text NOT NULL,
  body text NOT NULL, at_ns bigint NOT NULL, PRIMARY KEY (digest, kind, key_id));
CREATE TABLE registry_approvals (
  model_id text NOT NULL, number bigint NOT NULL, who text NOT NULL, digest text NOT NULL,
  note text NOT NULL, at_ns bigint NOT NULL, PRIMARY KEY (model_id, number, who),
  FOREIGN KEY (model_id, number) REFERENCES registry_versions (model_id, number));
CREATE TABLE registry_quarantines (
  digest text NOT NULL PRIMARY KEY, reason text NOT NULL, who text NOT NULL,
  at_ns bigint NOT NULL, released_ns bigint);
CREATE TABLE registry_events (
  model_id text NOT NULL REFERENCES registry_models (id), seq bigint NOT NULL,
  number bigint NOT NULL, at_ns bigint NOT NULL, kind text NOT NULL, who text NOT NULL,
  detail text NOT NULL, PRIMARY KEY (model_id, seq));
CREATE INDEX registry_events_kind ON registry_events (model_id, kind, at_ns);
)sql";

constexpr const char* kRollouts = R"sql(
CREATE TABLE registry_rollouts (
  id text NOT NULL PRIMARY KEY, model_id text NOT NULL, to_number bigint NOT NULL,
  from_number bigint NOT NULL, active bigint, plan text NOT NULL, state text NOT NULL,
  phase text NOT NULL, who text NOT NULL, created_ns bigint NOT NULL, updated_ns bigint NOT NULL,
  UNIQUE (model_id, active),
  FOREIGN KEY (model_id, to_number) REFERENCES registry_versions (model_id, number));
CREATE TABLE registry_rollout_events (
  rollout_id text NOT NULL REFERENCES registry_rollouts (id), seq bigint NOT NULL,
  at_ns bigint NOT NULL, event text NOT NULL, who text NOT NULL, reason text NOT NULL,
  before_state text NOT NULL, after_state text NOT NULL, PRIMARY KEY (rollout_id, seq));
CREATE TABLE registry_leases (
  rollout_id text NOT NULL REFERENCES registry_rollouts (id), node text NOT NULL,
  number bigint NOT NULL, until_ns bigint NOT NULL, PRIMARY KEY (rollout_id, node));
CREATE TABLE registry_controllers (
  name text NOT NULL PRIMARY KEY, holder text NOT NULL, until_ns bigint NOT NULL);
)sql";

constexpr storage::Migration kMigrations[] = {
    {.number = 1, .name = "models, versions and what is said about them", .sql = kModels},
    {.number = 2, .name = "rollouts, their journal and leases", .sql = kRollouts},
};

}  // namespace

std::span<const storage::Migration> Migrations() { return kMigrations; }

}  // namespace saferl::registry
