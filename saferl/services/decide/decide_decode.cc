#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <span>

#include "saferl/base/json_reader.h"
#include "saferl/base/node.h"
#include "saferl/base/text.h"
#include "saferl/control/input_check.h"
#include "saferl/safety/constraints/contact.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::services {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kMaxName = 64, kMaxLimits = 16;
constexpr int kRegions = static_cast<int>(robot::Region::kCount);

Status Bad(std::string text) { return absl::InvalidArgumentError(text); }

/// Where in the document: links on the stack.
struct Place {
  const Place* parent = nullptr;
  std::string_view name;
  int index = -1;
  std::string Text() const {
    std::string text = parent == nullptr ? "" : parent->Text();
    if (index >= 0) return Cat(text, "[", index, "]");
    if (!text.empty() && !name.empty()) text += ".";
    return Cat(text, name);
  }
  Status Error(std::string_view problem) const {
    const std::string text = Text();
    return Bad(text.empty() ? std::string(problem) : Cat(text, ": ", problem));
  }
  Status Error(const Status& status) const { return Error(std::string(status.message())); }
};

struct Key {
  std::string_view name;
  bool required = false;
};

class Decoder {
 public:
  explicit Decoder(JsonReader* reader) : r_(*reader) {}

  /// Reads an object: read(i, place) for every key that is there.
  template <class Read>
  Status Object(const Place& at, std::span<const Key> keys, Read read) {
    if (const Status s = r_.BeginObject(); !s.ok()) return at.Error(s);
    uint32_t seen = 0;
    std::string key;
    while (r_.NextKey(&key)) {
      const Place place{&at, key};
      size_t i = 0;
      while (i < keys.size() && keys[i].name != key) ++i;
      if (i == keys.size()) return Unknown(at, key, keys);
      if ((seen >> i & 1U) != 0) return place.Error("given twice; give it once");
      seen |= 1U << i;
      SAFERL_RETURN_IF_ERROR(read(i, place));
    }
    if (!r_.status().ok()) return at.Error(r_.status());
    for (size_t i = 0; i < keys.size(); ++i)
      if (keys[i].required && (seen >> i & 1U) == 0)
        return Place{&at, keys[i].name}.Error("is missing; add it");
    return absl::OkStatus();
  }

  /// Reads a list: read(place) for every item, at most `most`.
  template <class Read>
  Status List(const Place& at, int most, int* count, Read read) {
    if (const Status s = r_.BeginArray(); !s.ok()) return at.Error(s);
    int i = 0;
    while (r_.NextItem()) {
      if (i == most) return at.Error(Cat("more than ", most, " entries; send fewer"));
      SAFERL_RETURN_IF_ERROR(read(Place{&at, {}, i}, i));
      ++i;
    }
    if (!r_.status().ok()) return at.Error(r_.status());
    *count = i;
    return absl::OkStatus();
  }

  Status Number(const Place& at, double* value) { return At(at, r_.Number(value)); }
  Status Bool(const Place& at, bool* value) { return At(at, r_.Bool(value)); }
  Status Stamp(const Place& at, int64_t* value) { return At(at, r_.Integer(value)); }
  Status Count(const Place& at, uint64_t* value) {
    int64_t number = 0;
    SAFERL_RETURN_IF_ERROR(At(at, r_.Integer(&number)));
    if (number < 0) return at.Error(Cat(number, " is below 0; count upward from 0"));
    *value = static_cast<uint64_t>(number);
    return absl::OkStatus();
  }
  template <class U>
  Status Small(const Place& at, U* value) {
    int64_t number = 0;
    SAFERL_RETURN_IF_ERROR(At(at, r_.Integer(&number)));
    if (number < 0 || number > std::numeric_limits<U>::max())
      return at.Error(Cat(number, " is not in 0 to ",
                          static_cast<int64_t>(std::numeric_limits<U>::max()),
                          "; give such a number"));
    *value = static_cast<U>(number);
    return absl::OkStatus();
  }
  Status Name(const Place& at, std::string* value) {
    SAFERL_RETURN_IF_ERROR(At(at, r_.String(value)));
    const auto plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_' || c == '.';
    };
    if (value->empty() || value->size() > kMaxName || value->front() == '.' ||
        !std::all_of(value->begin(), value->end(), plain))
      return at.Error(Cat("not a name of 1 to ", kMaxName,
                          " characters A-Z a-z 0-9 . _ - that starts with no dot; correct it"));
    return absl::OkStatus();
  }
  Status Joints(const Place& at, robot::Joints* out, int* count) {
    return List(at, robot::kMaxDof, count, [&](const Place& place, int i) {
      return Number(place, &(*out)[static_cast<size_t>(i)]);
    });
  }
  Status Point(const Place& at, math::Vec3* point) {
    int n = 0;
    double xyz[3] = {};
    SAFERL_RETURN_IF_ERROR(
        List(at, 3, &n, [&](const Place& place, int i) { return Number(place, &xyz[i]); }));
    if (n != 3) return at.Error(Cat(n, " numbers; send three: x, y, z in m"));
    *point = {xyz[0], xyz[1], xyz[2]};
    return absl::OkStatus();
  }
  JsonReader& reader() { return r_; }

 private:
  Status At(const Place& at, const Status& status) {
    return status.ok() ? status : at.Error(status);
  }
  static Status Unknown(const Place& at, const std::string& key, std::span<const Key> keys) {
    std::vector<std::string> names;
    for (const Key& k : keys) names.emplace_back(k.name);
    const Place place{&at, key.size() <= kMaxName ? std::string_view(key) : "(a long name)"};
    if (const auto near = Nearest(key, names))
      return place.Error(Cat("unknown; did you mean '", *near, "'?"));
    return place.Error(Cat("unknown; known are ", Join(names, ", ")));
  }

  JsonReader& r_;
};

std::string RegionNames() {
  std::vector<std::string> names;
  for (int i = 0; i < kRegions; ++i)
    names.push_back(safety::RegionName(static_cast<robot::Region>(i)));
  return Join(names, ", ");
}

constexpr Key kPart[] = {{"a", true}, {"b", true}, {"radius_m", true}, {"stamp_ns", true},
                         {"region"},  {"person"},  {"track"}};

Status ReadPart(Decoder& d, const Place& at, robot::HumanPart* part) {
  return d.Object(at, kPart, [&](size_t i, const Place& place) -> Status {
    switch (i) {
      case 0:
        return d.Point(place, &part->capsule_W.a);
      case 1:
        return d.Point(place, &part->capsule_W.b);
      case 2:
        return d.Number(place, &part->capsule_W.radius);
      case 3:
        return d.Stamp(place, &part->stamp_ns);
      case 4: {
        std::string name;
        SAFERL_RETURN_IF_ERROR(d.Name(place, &name));
        const auto region = ParseRegion(name);
        if (!region)
          return place.Error(Cat("'", name, "' is no body region; use one of ", RegionNames()));
        part->region = *region;
        return absl::OkStatus();
      }
      case 5:
        return d.Small(place, &part->person);
      default:
        return d.Small(place, &part->track);
    }
  });
}

constexpr Key kState[] = {{"stamp_ns", true}, {"q", true}, {"qd", true}};
constexpr Key kPeople[] = {{"stamp_ns", true}, {"parts", true}};
constexpr Key kLidar[] = {{"stamp_ns", true}, {"ranges_m", true}};
constexpr Key kObservation[] = {{"stamp_ns", true}, {"sequence", true}, {"state", true},
                                {"interaction_nm"}, {"people"},         {"lidar"}};

Status ReadPeople(Decoder& d, const Place& at, robot::Observation* o) {
  return d.Object(at, kPeople, [&](size_t i, const Place& place) {
    if (i == 0) return d.Stamp(place, &o->people_stamp_ns);
    return d.List(place, robot::kMaxParts, &o->n_parts, [&](const Place& item, int k) {
      return ReadPart(d, item, &o->parts[static_cast<size_t>(k)]);
    });
  });
}

/// null: nothing in range.
Status ReadRange(Decoder& d, const Place& at, float* range) {
  if (d.reader().Peek() == JsonReader::Kind::kNull) {
    *range = std::numeric_limits<float>::infinity();
    const Status status = d.reader().Null();
    return status.ok() ? status : at.Error(status);
  }
  double value = 0;
  SAFERL_RETURN_IF_ERROR(d.Number(at, &value));
  if (value > 1e6) return at.Error("further than 1e6 m; send null where nothing is in range");
  *range = static_cast<float>(value);
  return absl::OkStatus();
}

Status ReadObservation(Decoder& d, const Place& at, DecideRequest* request) {
  robot::Observation& o = request->input.observation;
  InputCounts& counts = request->counts;
  return d.Object(at, kObservation, [&](size_t i, const Place& place) -> Status {
    switch (i) {
      case 0:
        return d.Stamp(place, &o.stamp_ns);
      case 1:
        return d.Count(place, &o.sequence);
      case 2:
        return d.Object(place, kState, [&](size_t k, const Place& item) {
          if (k == 0) return d.Stamp(item, &o.robot.stamp_ns);
          return k == 1 ? d.Joints(item, &o.robot.q, &counts.q)
                        : d.Joints(item, &o.robot.qd, &counts.qd);
        });
      case 3:
        return d.Joints(place, &o.interaction, &counts.interaction);
      case 4:
        return ReadPeople(d, place, &o);
      default:
        return d.Object(place, kLidar, [&](size_t k, const Place& item) {
          if (k == 0) return d.Stamp(item, &o.lidar_stamp_ns);
          return d.List(item, robot::kMaxLidar, &o.n_lidar, [&](const Place& beam, int b) {
            return ReadRange(d, beam, &o.lidar_m[static_cast<size_t>(b)]);
          });
        });
    }
  });
}

constexpr Key kHuman[] = {{"stamp_ns", true}, {"sequence"}, {"u", true},
                          {"enabled"},        {"stop"},     {"acknowledge"}};

Status ReadHuman(Decoder& d, const Place& at, DecideRequest* request) {
  control::HumanInput& h = request->input.human;
  return d.Object(at, kHuman, [&](size_t i, const Place& place) -> Status {
    switch (i) {
      case 0:
        return d.Stamp(place, &h.stamp_ns);
      case 1:
        return d.Count(place, &h.sequence);
      case 2:
        return d.Joints(place, &h.u, &request->counts.human);
      case 3:
        return d.Bool(place, &h.enabled);
      case 4:
        return d.Bool(place, &h.stop);
      default:
        return d.Bool(place, &h.acknowledge);
    }
  });
}

constexpr Key kProposal[] = {{"stamp_ns", true}, {"u", true}};
constexpr Key kModel[] = {{"name", true}, {"version"}};

Status ReadLimits(Decoder& d, const Place& at, DecideRequest* request) {
  if (const Status s = d.reader().BeginObject(); !s.ok()) return at.Error(s);
  std::string key;
  while (d.reader().NextKey(&key)) {
    const Place place{&at, key};
    if (request->limits.size() == kMaxLimits)
      return at.Error(Cat("more than ", kMaxLimits, " settings; send fewer"));
    for (const auto& [name, value] : request->limits)
      if (name == key) return place.Error("given twice; give it once");
    double value = 0;
    SAFERL_RETURN_IF_ERROR(d.Number(place, &value));
    request->limits.emplace_back(key, value);
  }
  return d.reader().status().ok() ? absl::OkStatus() : at.Error(d.reader().status());
}

constexpr Key kRequest[] = {{"robot", true},
                            {"type"},
                            {"model"},
                            {"limits"},
                            {"now_ns", true},
                            {"sequence"},
                            {"observation", true},
                            {"human", true},
                            {"proposal"},
                            {"goals"},
                            {"stop_requested"}};

Status ReadRequest(Decoder& d, const Place& at, DecideRequest* request) {
  control::TickInput& in = request->input;
  return d.Object(at, kRequest, [&](size_t i, const Place& place) -> Status {
    switch (i) {
      case 0:
        return d.Name(place, &request->robot);
      case 1:
        return d.Name(place, &request->type);
      case 2:
        return d.Object(place, kModel, [&](size_t k, const Place& item) {
          return d.Name(item, k == 0 ? &request->model : &request->version);
        });
      case 3:
        return ReadLimits(d, place, request);
      case 4:
        return d.Stamp(place, &in.now_ns);
      case 5:
        request->has_sequence = true;
        return d.Count(place, &in.sequence);
      case 6:
        return ReadObservation(d, place, request);
      case 7:
        return ReadHuman(d, place, request);
      case 8:
        in.policy.present = true;
        return d.Object(place, kProposal, [&](size_t k, const Place& item) {
          return k == 0 ? d.Stamp(item, &in.policy.stamp_ns)
                        : d.Joints(item, &in.policy.u, &request->counts.proposal);
        });
      case 9:
        return d.List(place, control::kMaxGoals, &in.goals.n, [&](const Place& item, int k) {
          return d.Point(item, &in.goals.p_W[static_cast<size_t>(k)]);
        });
      default:
        return d.Bool(place, &in.stop_requested);
    }
  });
}

Status CheckCount(std::string_view field, int count, int wanted, std::string_view meaning) {
  if (count == wanted) return absl::OkStatus();
  return Bad(Cat(field, ": ", count, " numbers; send ", wanted, " (", meaning, ")"));
}

}  // namespace

std::optional<robot::Region> ParseRegion(std::string_view name) {
  for (int i = 0; i < kRegions; ++i)
    if (safety::RegionName(static_cast<robot::Region>(i)) == name)
      return static_cast<robot::Region>(i);
  return std::nullopt;
}

StatusOr<DecideRequest> DecodeDecideRequest(std::string_view body) {
  JsonReader reader(body, "body", kMaxDepth);
  Decoder decoder(&reader);
  DecideRequest request;
  SAFERL_RETURN_IF_ERROR(ReadRequest(decoder, Place{}, &request));
  SAFERL_RETURN_IF_ERROR(reader.Finish());
  return request;
}

StatusOr<std::vector<DecideRequest>> DecodeDecideBatch(std::string_view body, int most) {
  JsonReader reader(body, "body", kMaxDepth);
  Decoder d(&reader);
  std::vector<DecideRequest> requests;
  constexpr Key kBatch[] = {{"requests", true}};
  int n = 0;
  SAFERL_RETURN_IF_ERROR(d.Object(Place{}, kBatch, [&](size_t, const Place& place) {
    return d.List(place, most, &n, [&](const Place& item, int) {
      return ReadRequest(d, item, &requests.emplace_back());
    });
  }));
  SAFERL_RETURN_IF_ERROR(reader.Finish());
  if (requests.empty()) return Bad("requests: empty; send 1 or more");
  std::set<std::string_view> robots;
  for (size_t i = 0; i < requests.size(); ++i)
    if (!robots.insert(requests[i].robot).second)
      return Bad(Cat("requests[", i, "].robot: '", requests[i].robot,
                     "' stands in this batch twice; a robot decides one tick after the other, so "
                     "send its next tick in another request"));
  return requests;
}

Status CheckShape(const robot::RobotModel& robot, const DecideRequest& request) {
  const InputCounts& c = request.counts;
  const int pose = control::PoseSize(robot), n = robot.n();
  const bool chair = robot.kind() == robot::Kind::kWheelchair;
  const bool exoskeleton = robot.kind() == robot::Kind::kExoskeleton;
  SAFERL_RETURN_IF_ERROR(CheckCount("observation.state.q", c.q, pose,
                                    chair ? "x m, y m, yaw rad" : "joint angles in rad"));
  SAFERL_RETURN_IF_ERROR(CheckCount("observation.state.qd", c.qd, n,
                                    chair ? "v m/s, omega rad/s" : "joint rates in rad/s"));
  SAFERL_RETURN_IF_ERROR(CheckCount("human.u", c.human, n, "the robot's command"));
  if (exoskeleton || c.interaction >= 0)
    SAFERL_RETURN_IF_ERROR(CheckCount("observation.interaction_nm", std::max(c.interaction, 0),
                                      exoskeleton ? n : 0, "torque on the wearer in Nm"));
  if (c.proposal >= 0)
    SAFERL_RETURN_IF_ERROR(CheckCount("proposal.u", c.proposal, n, "the robot's command"));
  return absl::OkStatus();
}

}  // namespace saferl::services
