#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

/// Whether a signature holds now, by the keys that are trusted now.
std::string Verdict(const std::string& digest, const registry::Signature& signature,
                    const registry::Keyring& keyring) {
  const StatusOr<registry::TrustedKey> key = VerifySignature(digest, signature, keyring);
  return key.ok() ? Cat("good, by ", key->owner) : Cat(key.status().message());
}

StatusOr<ExitCode> RunShow(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version v, VersionOf(opened, args, false));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Signature> signatures,
                          opened.store()->Signatures(v.digest));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Approval> approvals,
                          opened.store()->Approvals(v.model, v.number));
  SAFERL_ASSIGN_OR_RETURN(const registry::Keyring keyring, services::LoadKeyring(opened.config));
  JsonWriter w(console.json() ? 0 : 2);
  w.BeginObject().Key("version");
  Write(v, &w);
  w.Key("signatures").BeginArray();
  for (const registry::Signature& s : signatures) {
    w.BeginObject().Field("kind", s.kind).Field("key_id", s.key_id);
    w.Field("at", registry::IsoTime(s.at_ns)).Field("verdict", Verdict(v.digest, s, keyring));
    w.EndObject();
  }
  w.EndArray().Key("approvals").BeginArray();
  for (const registry::Approval& a : approvals) Write(a, &w);
  console.Out(w.EndArray().EndObject().Take() + "\n");
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryShowVerb() {
  return {.path = {"registry", "show"},
          .summary = "one version: digest, lineage, signatures verified now, approvals",
          .description = "Without VERSION the champion, else the newest.",
          .args = StoreArgs({ModelArg(), VersionArg(false, "a number or an alias")}),
          .examples = {"saferl registry show arm7", "saferl registry show arm7 champion --json"},
          .run = RunShow};
}

}  // namespace saferl::cli
