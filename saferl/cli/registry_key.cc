#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/signing.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunKey(const Args& args, Console& console) {
  const std::string& file = args.text("FILE");
  SAFERL_ASSIGN_OR_RETURN(const registry::TrustedKey key,
                          registry::MakeKeyFiles(file, args.text("--kind") == "oms"));
  if (console.json()) {
    console.Out(JsonWriter()
                    .BeginObject()
                    .Field("private_key", file)
                    .Field("public_key", file + ".pem")
                    .Field("kind", key.kind)
                    .Field("key_id", key.key_id)
                    .EndObject()
                    .Take() +
                "\n");
  } else {
    console.Out(Cat("private key ", file, " (yours alone), public key ", file,
                    ".pem: copy it to DATA_DIR/keys/YOUR_NAME.pem to have it trusted\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryKeyVerb() {
  return {
      .path = {"registry", "key"},
      .summary = "make a key that signs model versions",
      .description =
          "Writes FILE (private, readable by you alone) and FILE.pem (public). An existing file "
          "is never replaced.",
      .args = {{.name = "FILE", .doc = "where the private key goes", .required = true},
               {.name = "--kind",
                .doc = "ed25519, or oms: P-256 for OpenSSF Model Signing bundles",
                .kind = ArgKind::kChoice,
                .value_name = "KIND",
                .fallback = "ed25519",
                .choices = {"ed25519", "oms"}}},
      .examples = {"saferl registry key ann.key", "saferl registry key ann.key --kind oms"},
      .run = RunKey};
}

}  // namespace saferl::cli
