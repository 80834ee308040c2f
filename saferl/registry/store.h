#pragma once
// Store: which model versions there are, where they came from, who vouches for them and who served
// them. Packages are objects under their own SHA-256; everything said about them is rows.
//
// Append-only: a version's number and digest never change and are never given again; every change
// (alias, tag, stage, signature, approval, quarantine, deletion, serving) is an event that stays.
// Push of the same bytes to the same model answers the version that is there.
// References: "7" (a number), an alias, or "" (the alias "champion", else the newest version).
// Concurrency: safe from any thread and any number of programs. Errors: kNotFound, kAlreadyExists,
// kInvalidArgument (the field is named), kFailedPrecondition (rule broken), and what the stores
// say. Time: ns since 1970, of Options::now_ns. RT: no.
// Cost: one indexed read per lookup, whatever the number of versions (store_test.cc shows the plan,
// registry_bench the time).

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/registry/records.h"
#include "saferl/storage/database.h"
#include "saferl/storage/objects.h"

namespace saferl::registry {

class Store {
 public:
  struct Options {
    std::function<int64_t()> now_ns;  ///< empty: the wall clock
  };
  /// Applies missing migrations. Both stores must outlive this.
  static StatusOr<std::unique_ptr<Store>> Open(storage::Database* database,
                                               storage::Objects* objects, Options options);
  static StatusOr<std::unique_ptr<Store>> Open(storage::Database* database,
                                               storage::Objects* objects) {
    return Open(database, objects, Options{});
  }

  // Models.
  Status CreateModel(const std::string& name, const std::string& description,
                     const std::string& who);
  StatusOr<Model> FindModel(const std::string& name) const;
  Status RenameModel(const std::string& name, const std::string& to, const std::string& who);
  Status DescribeModel(const std::string& name, const std::string& text, const std::string& who);
  /// Hides the model and its versions and frees the name; events stay.
  Status DeleteModel(const std::string& name, const std::string& who);
  StatusOr<std::vector<Model>> ListModels(const Search& search) const;

  // Versions.
  StatusOr<Pushed> Push(const PushRequest& request);
  /// A further model for bytes that were pushed before.
  StatusOr<Pushed> Link(const PushRequest& request, const std::string& digest);
  StatusOr<Version> Find(const std::string& model, const std::string& ref) const;
  StatusOr<std::string> Bytes(const std::string& digest) const { return objects_->Get(digest); }
  StatusOr<std::vector<Version>> ListVersions(const Search& search) const;
  Status DescribeVersion(const std::string& model, int64_t number, const std::string& text,
                         const std::string& who);
  /// `exclusive`: versions that are in the stage go to "Archived".
  Status SetStage(const std::string& model, int64_t number, const std::string& stage,
                  bool exclusive, const std::string& who);
  Status DeleteVersion(const std::string& model, int64_t number, const std::string& who);

  // Labels. `number` 0: the model itself.
  Status SetTag(const std::string& model, int64_t number, const Tag& tag, const std::string& who);
  Status DeleteTag(const std::string& model, int64_t number, const std::string& key,
                   const std::string& who);
  Status SetAlias(const std::string& model, const std::string& alias, int64_t number,
                  const std::string& who);
  Status DeleteAlias(const std::string& model, const std::string& alias, const std::string& who);

  // Trust. The caller has verified a signature before it is kept.
  Status AddSignature(const std::string& digest, const Signature& signature);
  StatusOr<std::vector<Signature>> Signatures(const std::string& digest) const;
  /// One person approves a version once, and never what the same person pushed.
  Status Approve(const std::string& model, int64_t number, const std::string& who,
                 const std::string& note);
  StatusOr<std::vector<Approval>> Approvals(const std::string& model, int64_t number) const;
  /// Blocks these bytes in every model, now and when they are pushed again.
  Status Quarantine(const std::string& digest, const std::string& reason, const std::string& who);
  Status Release(const std::string& digest, const std::string& reason, const std::string& who);

  // History. That a machine begins or ends to serve a version changes nothing of the registry.
  Status RecordServing(const std::string& model, int64_t number, const std::string& node,
                       bool begins);
  /// Newest first; `model` with every version, or one version.
  StatusOr<std::vector<Event>> History(const std::string& model, int64_t number, int limit) const;
  /// The version an alias named at a time; 0 when none.
  StatusOr<int64_t> AliasAt(const std::string& model, const std::string& alias,
                            int64_t at_ns) const;
  /// Another one after every change of the registry; not ordered. A push of what is there already
  /// is none.
  StatusOr<int64_t> Revision() const;

  /// Objects that this registry put, that no version refers to and that were last put before
  /// `older_than_ns`. Deleted only with `apply`.
  StatusOr<Garbage> CollectGarbage(int64_t older_than_ns, bool apply);

  storage::Database* database() const { return database_; }
  int64_t now() const { return options_.now_ns(); }

 private:
  Store(storage::Database* database, storage::Objects* objects, Options options)
      : database_(database), objects_(objects), options_(std::move(options)) {}
  StatusOr<Pushed> AddVersion(const PushRequest& request, const std::string& digest,
                              const PackageFacts& facts);
  Status FillVersions(std::vector<Version>* versions) const;

  storage::Database* database_;
  storage::Objects* objects_;
  Options options_;
};

}  // namespace saferl::registry
