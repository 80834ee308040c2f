#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;

StatusOr<registry::Signature> MakeOrRead(const Args& args, const registry::Version& version) {
  if (args.has("--key") == args.has("--bundle"))
    return absl::InvalidArgumentError("--key: give either --key or --bundle");
  if (args.has("--bundle")) {
    SAFERL_ASSIGN_OR_RETURN(const std::string json, ReadFile(args.text("--bundle"), kMaxBytes));
    return registry::ReadBundle(json);
  }
  SAFERL_ASSIGN_OR_RETURN(const std::string pem, ReadFile(args.text("--key"), kMaxBytes));
  return registry::SignDigest(version.digest, Cat(version.model, "-", version.number, ".policy"),
                              pem);
}

StatusOr<ExitCode> RunSign(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version version, VersionOf(opened, args, true));
  // What is signed is the bytes that are there, not a row about them.
  SAFERL_RETURN_IF_ERROR(opened.store()->Bytes(version.digest).status());
  SAFERL_ASSIGN_OR_RETURN(registry::Signature signature, MakeOrRead(args, version));
  SAFERL_ASSIGN_OR_RETURN(const registry::Keyring keyring, services::LoadKeyring(opened.config));
  SAFERL_ASSIGN_OR_RETURN(const registry::TrustedKey key,
                          VerifySignature(version.digest, signature, keyring));
  signature.who = key.owner;
  SAFERL_RETURN_IF_ERROR(opened.store()->AddSignature(version.digest, signature));
  if (args.has("--out"))
    SAFERL_RETURN_IF_ERROR(WriteFileAtomic(args.text("--out"), signature.body + "\n"));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("model", version.model).Field("version", version.number);
    w.Field("sha256", version.digest).Key("signature");
    Write(signature, &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(version.model, " version ", version.number, ": signed by ", key.owner, " (",
                    signature.kind, ")\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb RegistrySignVerb() {
  return {.path = {"registry", "sign"},
          .summary = "sign a version with a key of yours, or keep a bundle that others made",
          .description =
              "The key's public half must be in DATA_DIR/keys as NAME.pem: a signature that nobody "
              "trusts is refused. Ed25519 keys sign the digest, P-256 keys make an OpenSSF Model "
              "Signing 1.0 bundle. Without VERSION the newest.",
          .args = StoreArgs(
              {ModelArg(),
               VersionArg(false, "a number or an alias"),
               {.name = "--key", .doc = "private key, PEM", .value_name = "FILE"},
               {.name = "--bundle", .doc = "a bundle of model_signing", .value_name = "FILE"},
               {.name = "--out", .doc = "also write the signature here", .value_name = "FILE"}}),
          .examples = {"saferl registry sign arm7 3 --key ann.key",
                       "saferl registry sign arm7 3 --bundle model.sig.json"},
          .run = RunSign};
}

}  // namespace saferl::cli
