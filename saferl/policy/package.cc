// Writing of model packages, and packages as files.
#include "saferl/policy/package.h"

#include <fmt/format.h>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/policy/package_layout.h"
#include "saferl/policy/quantise.h"

namespace saferl::policy {
namespace {

class Writer {
 public:
  template <class T>
  void Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void Text(std::string_view text) {
    Put(static_cast<uint16_t>(text.size()));
    bytes_.append(text);
  }
  void Bytes(std::string_view bytes) { bytes_.append(bytes); }
  void Floats(const std::vector<float>& values) {
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  void Section(std::string_view tag, const Writer& payload) {
    Bytes(tag);
    Put(static_cast<uint64_t>(payload.bytes_.size()));
    Bytes(payload.bytes_);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

Writer NameSection(const PolicySpec& spec) {
  Writer w;
  w.Text(spec.name);
  w.Text(spec.robot);
  return w;
}

Writer SchemaSection(const std::vector<Field>& fields) {
  Writer w;
  w.Put(static_cast<uint32_t>(fields.size()));
  for (const Field& field : fields) {
    w.Text(field.name);
    w.Text(field.unit);
    w.Put(static_cast<uint32_t>(field.size));
    w.Put(field.low);
    w.Put(field.high);
  }
  return w;
}

Writer NormaliserSection(const PolicySpec& spec) {
  Writer w;
  w.Put(spec.obs_clip);
  w.Put(static_cast<uint32_t>(spec.obs_mean.size()));
  w.Floats(spec.obs_mean);
  w.Floats(spec.obs_std);
  return w;
}

Writer NetworkSection(const PolicySpec& spec) {
  Writer w;
  w.Put(static_cast<uint32_t>(spec.layers.size()));
  w.Put(static_cast<uint8_t>(spec.squash ? 1 : 0));
  for (const Layer& layer : spec.layers) {
    w.Put(static_cast<uint32_t>(layer.in));
    w.Put(static_cast<uint32_t>(layer.out));
    w.Put(static_cast<uint8_t>(layer.activation));
    if (spec.int8()) w.Put(static_cast<uint8_t>(layer.int8() ? 1 : 0));
    if (layer.int8()) {
      w.Put(layer.input_limit);
      w.Floats(layer.weight_scale);
      for (int j = 0; j < layer.out; ++j)
        for (int k = 0; k < layer.in; ++k) w.Put(Int8Weight(layer, j, k));
    } else {
      w.Floats(layer.weight);
    }
    w.Floats(layer.bias);
  }
  w.Put(static_cast<uint32_t>(spec.log_std.size()));
  w.Floats(spec.log_std);
  w.Floats(spec.action_scale);
  w.Floats(spec.action_offset);
  return w;
}

Writer TrainingSection(const PolicySpec& spec) {
  Writer w;
  w.Put(static_cast<uint32_t>(spec.training_record.size()));
  w.Bytes(spec.training_record);
  return w;
}

Writer GoldenSection(const PolicySpec& spec) {
  Writer w;
  w.Put(static_cast<uint32_t>(spec.golden_observations.size()));
  w.Put(static_cast<uint32_t>(spec.n_obs()));
  w.Put(static_cast<uint32_t>(spec.n_act()));
  for (size_t g = 0; g < spec.golden_observations.size(); ++g) {
    w.Floats(spec.golden_observations[g]);
    w.Floats(spec.golden_actions[g]);
  }
  return w;
}

}  // namespace

StatusOr<std::string> EncodePackage(const PolicySpec& spec) {
  SAFERL_RETURN_IF_ERROR(spec.Validate());
  Writer body;
  body.Section("NAME", NameSection(spec));
  body.Section("OBSV", SchemaSection(spec.observation));
  body.Section("ACTN", SchemaSection(spec.action));
  body.Section("NORM", NormaliserSection(spec));
  body.Section("NETW", NetworkSection(spec));
  body.Section("TRNG", TrainingSection(spec));
  body.Section("GOLD", GoldenSection(spec));
  Writer file;
  file.Bytes(kPackageMagic);
  file.Put(spec.int8() ? kPackageVersionInt8 : kPackageVersion);
  file.Put(kPackageSections);
  file.Put(static_cast<uint64_t>(kPackageHeaderBytes + body.bytes().size() + kPackageTrailerBytes));
  file.Bytes(body.bytes());
  const Sha256Digest digest = Sha256Of(file.bytes());
  file.Bytes({reinterpret_cast<const char*>(digest.data()), digest.size()});
  if (file.bytes().size() > kMaxPackageBytes) {
    return absl::InvalidArgumentError(
        fmt::format("package: would have {} bytes; at most {} fit: use fewer golden vectors",
                    file.bytes().size(), kMaxPackageBytes));
  }
  return file.bytes();
}

Status SavePackage(const PolicySpec& spec, const std::string& path) {
  if (spec.golden_observations.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: golden: has no vector; make some with MakeGoldenVectors so that every "
                    "load can check itself",
                    path));
  }
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, EncodePackage(spec));
  return WriteFileAtomic(path, bytes);
}

StatusOr<PolicySpec> ReadPackage(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxPackageBytes));
  return DecodePackage(bytes, path);
}

StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(PolicySpec spec, ReadPackage(path));
  auto policy = Policy::Create(std::move(spec));
  if (!policy.ok()) {
    return Status(policy.status().code(),
                  fmt::format("{}: {}", path, std::string(policy.status().message())));
  }
  return policy;
}

}  // namespace saferl::policy
