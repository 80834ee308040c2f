// Reading of model packages: every length is compared with what is left before memory is taken.
#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "saferl/base/hash.h"
#include "saferl/policy/package.h"
#include "saferl/policy/package_layout.h"

namespace saferl::policy {
namespace {

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

void ReadInt8Weights(Reader* r, const std::string& name, Layer* layer) {
  layer->input_limit = r->Number(name + ".input_limit");
  layer->weight_scale = r->Floats(name + ".weight_scale", static_cast<size_t>(layer->out));
  const std::string_view q =
      r->Take(name + ".weight", static_cast<size_t>(layer->in) * static_cast<size_t>(layer->out));
  for (size_t i = 0; i < q.size(); ++i) {
    const auto w = static_cast<int8_t>(q[i]);
    if (w == -128) r->Fail(fmt::format("{}.weight[{}]", name, i), "is -128", "use -127 to 127");
    layer->weight.push_back(static_cast<float>(w) *
                            layer->weight_scale[i / static_cast<size_t>(layer->in)]);
  }
}

void ReadNetwork(Reader* r, bool int8, PolicySpec* spec) {
  const uint32_t n_layers = r->Count<uint32_t>("layers", 1, kMaxLayers);
  spec->squash = r->Count<uint8_t>("squash", 0, 1) == 1;
  for (uint32_t l = 0; l < n_layers && r->ok(); ++l) {
    const std::string name = fmt::format("layers[{}]", l);
    Layer layer;
    layer.in = static_cast<int>(r->Count<uint32_t>(name + ".in", 1, kMaxWidth));
    layer.out = static_cast<int>(r->Count<uint32_t>(name + ".out", 1, kMaxWidth));
    layer.activation = static_cast<Activation>(r->Count<uint8_t>(name + ".activation", 0, 3));
    if (int8 && r->Count<uint8_t>(name + ".precision", 0, 1) == 1) {
      ReadInt8Weights(r, name, &layer);
    } else {
      layer.weight = r->Floats(name + ".weight",
                               static_cast<size_t>(layer.in) * static_cast<size_t>(layer.out));
    }
    layer.bias = r->Floats(name + ".bias", static_cast<size_t>(layer.out));
    spec->layers.push_back(std::move(layer));
  }
  if (int8 && r->ok() && !spec->int8()) {
    r->Fail("version", "is 2 and no layer is int8", "write such packages as version 1");
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

/// The version.
uint32_t ReadHeader(Reader* r, std::string_view bytes) {
  if (r->Take("magic", kPackageMagic.size()) != kPackageMagic) {
    r->Fail("magic", "is not SAFERLMP",
            "this is not a model package: make one with `saferl train` or `saferl policy import`");
  }
  const auto version = r->Get<uint32_t>("version");
  if (r->ok() && version != kPackageVersion && version != kPackageVersionInt8) {
    r->Fail("version", fmt::format("is {}", version),
            fmt::format("this program reads versions {} and {}: export the policy again",
                        kPackageVersion, kPackageVersionInt8));
  }
  const auto sections = r->Get<uint32_t>("sections");
  if (r->ok() && sections != kPackageSections) {
    r->Fail("sections", fmt::format("is {}", sections),
            fmt::format("there are {}", kPackageSections));
  }
  const auto size = r->Get<uint64_t>("file size");
  if (r->ok() && size != bytes.size()) {
    r->Fail("file size", fmt::format("is {} where the file has {} bytes", size, bytes.size()),
            "the file was cut off or something was appended: copy it again");
  }
  if (r->ok() && (size < kPackageHeaderBytes + kPackageTrailerBytes || size > kMaxPackageBytes)) {
    r->Fail("file size", fmt::format("is {}", size),
            fmt::format("at most {} bytes", kMaxPackageBytes));
  }
  return version;
}

bool HashMatches(std::string_view bytes) {
  const Sha256Digest digest = Sha256Of(bytes.substr(0, bytes.size() - kPackageTrailerBytes));
  return std::memcmp(digest.data(), bytes.data() + bytes.size() - kPackageTrailerBytes,
                     kPackageTrailerBytes) == 0;
}

}  // namespace

StatusOr<PolicySpec> DecodePackage(std::string_view bytes, std::string_view source) {
  Reader r(bytes, source);
  const uint32_t version = ReadHeader(&r, bytes);
  if (r.ok() && !HashMatches(bytes)) {
    r.Fail("SHA-256", "does not match the bytes",
           "the file is damaged or was changed: copy or export it again");
  }
  if (!r.ok()) return r.status();
  const size_t end = bytes.size() - kPackageTrailerBytes;
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
  section("NETW", [&] { ReadNetwork(&r, version == kPackageVersionInt8, &spec); });
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

}  // namespace saferl::policy
