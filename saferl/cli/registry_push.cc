#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/policy/package.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

StatusOr<std::vector<registry::Tag>> Tags(const Args& args) {
  std::vector<registry::Tag> tags;
  for (const std::string& text : args.All("--tag")) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return absl::InvalidArgumentError(Cat("--tag: '", text, "' is not KEY=VALUE"));
    tags.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return tags;
}

StatusOr<ExitCode> RunPush(const Args& args, Console& console) {
  if (args.text("FILE").ends_with(".onnx"))
    return absl::InvalidArgumentError(
        Cat(args.text("FILE"),
            ": the registry holds packages, no ONNX files; make one with saferl policy import, or "
            "serve the file from DATA_DIR/models/NAME/VERSION.onnx"));
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes,
                          ReadFile(args.text("FILE"), policy::kMaxPackageBytes));
  SAFERL_ASSIGN_OR_RETURN(const policy::PolicySpec spec,
                          policy::DecodePackage(bytes, args.text("FILE")));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Tag> tags, Tags(args));
  registry::PushRequest request{.model = args.has("--model") ? args.text("--model") : spec.name,
                                .package = bytes,
                                .who = Who(args)};
  SAFERL_RETURN_IF_ERROR(registry::CheckName("--model", request.model));
  request.description = args.text("--description");
  request.lineage.code_commit = args.text("--commit");
  request.lineage.data = args.text("--data");
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  SAFERL_ASSIGN_OR_RETURN(registry::Pushed pushed, opened.store()->Push(request));
  const int64_t number = pushed.version.number;
  for (const registry::Tag& tag : tags)
    SAFERL_RETURN_IF_ERROR(opened.store()->SetTag(request.model, number, tag, request.who));
  if (args.has("--alias")) {
    SAFERL_RETURN_IF_ERROR(
        opened.store()->SetAlias(request.model, args.text("--alias"), number, request.who));
  }
  SAFERL_ASSIGN_OR_RETURN(pushed.version, opened.store()->Find(request.model, Cat(number)));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("created", pushed.created).Key("version");
    Write(pushed.version, &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(request.model, " version ", number, pushed.created ? "" : " (was there)",
                    ", sha256 ", pushed.version.digest, "\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryPushVerb() {
  return {
      .path = {"registry", "push"},
      .summary = "put a model package into the registry",
      .description =
          "The package is verified first. The same bytes are the same version: pushing twice "
          "is harmless. ONNX files are not pushed: saferl policy import makes a package of one, "
          "others are served from DATA_DIR/models.",
      .args = StoreArgs(
          {{.name = "FILE", .doc = "a model package", .required = true},
           {.name = "--model", .doc = "name (default: the package's own)", .value_name = "NAME"},
           {.name = "--description", .doc = "what is new", .value_name = "TEXT"},
           {.name = "--commit",
            .doc = "commit of the code that trained it, where the package does not say",
            .value_name = "ID"},
           {.name = "--data", .doc = "what it was trained on, likewise", .value_name = "NAME"},
           {.name = "--tag", .doc = "may be repeated", .value_name = "KEY=VALUE", .repeated = true},
           {.name = "--alias", .doc = "name this version", .value_name = "NAME"},
           WhoArg()}),
      .examples = {"saferl registry push out/wheelchair.policy",
                   "saferl registry push out/arm.policy --model arm7 --tag site=zurich"},
      .run = RunPush};
}

}  // namespace saferl::cli
