#include "saferl/policy/package.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"

namespace saferl::policy {
namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers are copied as they lie in memory");

constexpr std::string_view kMagic = "SAFERLMP";
constexpr size_t kHeaderBytes = 24, kSectionBytes = 12, kTrailerBytes = 32;
constexpr uint32_t kSections = 7;

// ---- writing -----------------------------------------------------------------------------------

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
    w.Floats(layer.weight);
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

// ---- reading -----------------------------------------------------------------------------------

/// Takes values off the front of the bytes. The first error stays; later reads return zeros.
class Reader {
 public:
  Reader(std::string_view bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  size_t left() const { return end_ - at_; }
  void set_end(size_t end) { end_ = end; }

  void Fail(std::string_view field, std::string_view problem, std::string_view fix) {
    if (!ok()) return;
    status_ = absl::InvalidArgumentError(
        fmt::format("{}: offset {}: {}: {}; {}", source_, at_, field, problem, fix));
  }

  std::string_view Take(std::string_view field, size_t n) {
    if (!ok()) return {};
    if (n > left()) {
      Fail(field, fmt::format("needs {} bytes where {} are left", n, left()),
           "the file was cut off or written wrongly: copy or export it again");
      return {};
    }
    const std::string_view taken = bytes_.substr(at_, n);
    at_ += n;
    return taken;
  }

  template <class T>
  T Get(std::string_view field) {
    T value{};
    const std::string_view taken = Take(field, sizeof(T));
    if (ok()) std::memcpy(&value, taken.data(), sizeof value);
    return value;
  }

  /// An unsigned number in [low, high].
  template <class T>
  uint32_t Count(std::string_view field, uint32_t low, uint32_t high) {
    const uint32_t value = Get<T>(field);
    if (ok() && (value < low || value > high)) {
      at_ -= sizeof(T);
      Fail(field, fmt::format("is {}", value), fmt::format("use {} to {}", low, high));
    }
    return ok() ? value : low;
  }

  std::string Text(std::string_view field) {
    const uint32_t n = Count<uint16_t>(field, 0, kMaxNameBytes);
    return std::string(Take(field, n));
  }

  float Number(std::string_view field) {
    const auto value = Get<float>(field);
    if (ok() && !std::isfinite(value)) {
      at_ -= sizeof value;
      Fail(field, "is not finite", "every number must be finite: train or export again");
    }
    return value;
  }

  std::vector<float> Floats(std::string_view field, size_t n) {
    const size_t start = at_;
    const std::string_view taken = Take(field, n * sizeof(float));  // n <= 256 * 256: no overflow
    if (!ok()) return {};
    std::vector<float> values(n);
    if (n > 0) std::memcpy(values.data(), taken.data(), taken.size());
    for (size_t i = 0; i < n; ++i) {
      if (!std::isfinite(values[i])) {
        at_ = start + i * sizeof(float);
        Fail(fmt::format("{}[{}]", field, i), "is not finite",
             "every number must be finite: train or export again");
        return {};
      }
    }
    return values;
  }

  /// Checks tag and length of the next section and limits reading to its payload.
  void OpenSection(std::string_view tag, size_t file_end) {
    end_ = file_end;
    const std::string_view found = Take(tag, tag.size());
    if (ok() && found != tag) {
      at_ -= tag.size();
      Fail("section tag", fmt::format("'{}' expected", tag),
           "sections come once each, in the documented order");
    }
    const auto length = Get<uint64_t>("section length");
    if (ok() && length > left()) {
      Fail(fmt::format("{} length", tag),
           fmt::format("is {} where {} bytes are left", length, left()),
           "the file was cut off or written wrongly: copy or export it again");
    }
    if (ok()) end_ = at_ + static_cast<size_t>(length);
  }
  void CloseSection(std::string_view tag) {
    if (ok() && left() != 0) {
      Fail(tag, fmt::format("has {} bytes too many", left()), "write exactly what the format says");
    }
  }

 private:
  std::string_view bytes_;
  std::string_view source_;
  size_t at_ = 0;
  size_t end_ = bytes_.size();
  Status status_;
};

std::vector<Field> ReadSchema(Reader* r, std::string_view what) {
  std::vector<Field> fields;
  const uint32_t n = r->Count<uint32_t>(fmt::format("{}.fields", what), 1, kMaxWidth);
  for (uint32_t i = 0; i < n && r->ok(); ++i) {
    const std::string name = fmt::format("{}[{}]", what, i);
    Field field;
    field.name = r->Text(name + ".name");
    field.unit = r->Text(name + ".unit");
    field.size = static_cast<int>(r->Count<uint32_t>(name + ".size", 1, kMaxWidth));
    field.low = r->Number(name + ".low");
    field.high = r->Number(name + ".high");
    fields.push_back(std::move(field));
  }
  return fields;
}

/// A size that is written a second time must agree with the schema.
void ReadSize(Reader* r, std::string_view field, int want) {
  const auto n = r->Get<uint32_t>(field);
  if (r->ok() && n != static_cast<uint32_t>(want)) {
    r->Fail(field, fmt::format("is {} where the schema has {}", n, want), "make the sizes equal");
  }
}

void ReadNormaliser(Reader* r, PolicySpec* spec) {
  spec->obs_clip = r->Number("obs_clip");
  ReadSize(r, "normaliser.n_obs", spec->n_obs());
  if (!r->ok()) return;
  const auto n = static_cast<size_t>(spec->n_obs());
  spec->obs_mean = r->Floats("obs_mean", n);
  spec->obs_std = r->Floats("obs_std", n);
}

void ReadNetwork(Reader* r, PolicySpec* spec) {
  const uint32_t n_layers = r->Count<uint32_t>("layers", 1, kMaxLayers);
  spec->squash = r->Count<uint8_t>("squash", 0, 1) == 1;
  for (uint32_t l = 0; l < n_layers && r->ok(); ++l) {
    const std::string name = fmt::format("layers[{}]", l);
    Layer layer;
    layer.in = static_cast<int>(r->Count<uint32_t>(name + ".in", 1, kMaxWidth));
    layer.out = static_cast<int>(r->Count<uint32_t>(name + ".out", 1, kMaxWidth));
    layer.activation = static_cast<Activation>(r->Count<uint8_t>(name + ".activation", 0, 3));
    layer.weight =
        r->Floats(name + ".weight", static_cast<size_t>(layer.in) * static_cast<size_t>(layer.out));
    layer.bias = r->Floats(name + ".bias", static_cast<size_t>(layer.out));
    spec->layers.push_back(std::move(layer));
  }
  ReadSize(r, "n_act", spec->n_act());
  if (!r->ok()) return;
  const auto n = static_cast<size_t>(spec->n_act());
  spec->log_std = r->Floats("log_std", n);
  spec->action_scale = r->Floats("action_scale", n);
  spec->action_offset = r->Floats("action_offset", n);
}

void ReadGolden(Reader* r, PolicySpec* spec) {
  const uint32_t count = r->Count<uint32_t>("golden.count", 1, kMaxGolden);
  ReadSize(r, "golden.n_obs", spec->n_obs());
  ReadSize(r, "golden.n_act", spec->n_act());
  for (uint32_t g = 0; g < count && r->ok(); ++g) {
    const std::string name = fmt::format("golden[{}]", g);
    spec->golden_observations.push_back(
        r->Floats(name + ".observation", static_cast<size_t>(spec->n_obs())));
    spec->golden_actions.push_back(r->Floats(name + ".action", static_cast<size_t>(spec->n_act())));
  }
}

void ReadHeader(Reader* r, std::string_view bytes) {
  if (r->Take("magic", kMagic.size()) != kMagic) {
    r->Fail("magic", "is not SAFERLMP",
            "this is not a model package: make one with `saferl train` or `saferl policy import`");
  }
  const auto version = r->Get<uint32_t>("version");
  if (r->ok() && version != kPackageVersion) {
    r->Fail("version", fmt::format("is {}", version),
            fmt::format("this program reads version {}: export the policy again", kPackageVersion));
  }
  const auto sections = r->Get<uint32_t>("sections");
  if (r->ok() && sections != kSections) {
    r->Fail("sections", fmt::format("is {}", sections), fmt::format("version 1 has {}", kSections));
  }
  const auto size = r->Get<uint64_t>("file size");
  if (r->ok() && size != bytes.size()) {
    r->Fail("file size", fmt::format("is {} where the file has {} bytes", size, bytes.size()),
            "the file was cut off or something was appended: copy it again");
  }
  if (r->ok() && (size < kHeaderBytes + kTrailerBytes || size > kMaxPackageBytes)) {
    r->Fail("file size", fmt::format("is {}", size),
            fmt::format("at most {} bytes", kMaxPackageBytes));
  }
}

bool HashMatches(std::string_view bytes) {
  const Sha256Digest digest = Sha256Of(bytes.substr(0, bytes.size() - kTrailerBytes));
  return std::memcmp(digest.data(), bytes.data() + bytes.size() - kTrailerBytes, kTrailerBytes) ==
         0;
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
  file.Bytes(kMagic);
  file.Put(kPackageVersion);
  file.Put(kSections);
  file.Put(static_cast<uint64_t>(kHeaderBytes + body.bytes().size() + kTrailerBytes));
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

StatusOr<PolicySpec> DecodePackage(std::string_view bytes, std::string_view source) {
  Reader r(bytes, source);
  ReadHeader(&r, bytes);
  if (r.ok() && !HashMatches(bytes)) {
    r.Fail("SHA-256", "does not match the bytes",
           "the file is damaged or was changed: copy or export it again");
  }
  if (!r.ok()) return r.status();
  const size_t end = bytes.size() - kTrailerBytes;
  PolicySpec spec;
  const auto section = [&](std::string_view tag, auto&& read) {
    r.OpenSection(tag, end);
    if (r.ok()) read();
    r.CloseSection(tag);
  };
  section("NAME", [&] {
    spec.name = r.Text("name");
    spec.robot = r.Text("robot");
  });
  section("OBSV", [&] { spec.observation = ReadSchema(&r, "observation"); });
  section("ACTN", [&] { spec.action = ReadSchema(&r, "action"); });
  section("NORM", [&] { ReadNormaliser(&r, &spec); });
  section("NETW", [&] { ReadNetwork(&r, &spec); });
  section("TRNG", [&] {
    const uint32_t n = r.Count<uint32_t>("training_record", 0, kMaxRecordBytes);
    spec.training_record = std::string(r.Take("training_record", n));
  });
  section("GOLD", [&] { ReadGolden(&r, &spec); });
  if (r.ok()) {
    r.set_end(end);
    r.CloseSection("end of the sections");
  }
  if (!r.ok()) return r.status();
  if (Status valid = spec.Validate(); !valid.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", source, std::string(valid.message())));
  }
  return spec;
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
