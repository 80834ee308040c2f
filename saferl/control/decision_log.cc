#include "saferl/control/decision_log.h"

#include <charconv>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/tick_settings.h"

namespace saferl::control {

namespace {

constexpr char kFormat[] = "1";
constexpr char kMetadata[] = "saferl";
constexpr char kSettingPrefix[] = "tick.";
constexpr int64_t kReadablePeriod_ns = 100'000'000;

constexpr char kSummarySchema[] =
    R"({"title":"saferl.Summary","type":"object","properties":{)"
    R"("tick":{"type":"integer"},"mode":{"type":"string"},"reason":{"type":"string"},)"
    R"("wanted":{"type":"array","items":{"type":"number"}},"human":{"type":"array","items":{"type":"number"}},)"
    R"("command":{"type":"array","items":{"type":"number"}},"authority":{"type":"number"},)"
    R"("intervened":{"type":"boolean"},"worst_margin":{"type":["number","null"]},)"
    R"("stop_time_s":{"type":"number"},"people":{"type":"integer"}}})";

constexpr char kPoseSchema[] =
    R"({"title":"foxglove.PoseInFrame","type":"object","properties":{)"
    R"("timestamp":{"type":"object","title":"time","properties":{"sec":{"type":"integer","minimum":0},)"
    R"("nsec":{"type":"integer","minimum":0,"maximum":999999999}}},"frame_id":{"type":"string"},)"
    R"("pose":{"title":"foxglove.Pose","type":"object","properties":{)"
    R"("position":{"title":"foxglove.Vector3","type":"object","properties":)"
    R"({"x":{"type":"number"},"y":{"type":"number"},"z":{"type":"number"}}},)"
    R"("orientation":{"title":"foxglove.Quaternion","type":"object","properties":)"
    R"({"x":{"type":"number"},"y":{"type":"number"},"z":{"type":"number"},"w":{"type":"number"}}}}}}})";

void JointField(JsonWriter& json, const char* key, const robot::Joints& u, int n) {
  json.Key(key).BeginArray();
  for (int i = 0; i < n; ++i) json.Value(u[static_cast<size_t>(i)]);
  json.EndArray();
}

std::string SummaryJson(const Decision& d, int n) {
  double worst = INFINITY;
  for (double margin : d.filter.margin) worst = margin >= worst ? worst : margin;
  JsonWriter json;
  json.BeginObject().Field("tick", d.input.sequence);
  json.Field("mode", std::string(safety::Name(d.command.mode)));
  json.Field("reason", std::string(safety::Name(d.command.reason)));
  JointField(json, "human", d.input.human.u, n);
  JointField(json, "wanted", d.blended, n);
  JointField(json, "command", d.command.u, n);
  json.Field("authority", d.authority).Field("intervened", d.filter.intervened);
  json.Field("worst_margin", worst).Field("stop_time_s", d.filter.stop_time_s);
  json.Field("people", d.input.observation.n_parts).EndObject();
  return json.Take();
}

std::string PoseJson(const Decision& d) {
  const robot::Joints& q = d.input.observation.robot.q;
  JsonWriter json;
  json.BeginObject().Key("timestamp").BeginObject();
  json.Field("sec", d.input.now_ns / kNanosPerSecond)
      .Field("nsec", d.input.now_ns % kNanosPerSecond)
      .EndObject();
  json.Field("frame_id", "world").Key("pose").BeginObject();
  json.Key("position").BeginObject().Field("x", q[0]).Field("y", q[1]).Field("z", 0.0).EndObject();
  json.Key("orientation").BeginObject().Field("x", 0.0).Field("y", 0.0);
  json.Field("z", std::sin(0.5 * q[2])).Field("w", std::cos(0.5 * q[2])).EndObject();
  json.EndObject().EndObject();
  return json.Take();
}

}  // namespace

StatusOr<DecisionLogInfo> DescribeModel(const TickModel& model, const std::string& robot_file) {
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(robot_file));
  const robot::RobotModel& robot = *model.safety->robot;
  DecisionLogInfo info;
  info.robot = robot.name();
  info.robot_sha256 = Sha256Hex(bytes);
  if (model.policy != nullptr) info.policy_sha256 = model.policy->sha256();
  info.n = robot.n();
  info.period_ns = FromSeconds(robot.period_s());
  info.wall_time_ns = WallNanos();
  info.settings = TickSettings(model);
  return info;
}

StatusOr<std::unique_ptr<DecisionLogWriter>> DecisionLogWriter::Create(
    const std::string& path, const DecisionLogInfo& info, const robot::RobotModel& robot) {
  std::unique_ptr<DecisionLogWriter> writer(new DecisionLogWriter());
  SAFERL_ASSIGN_OR_RETURN(writer->mcap_, McapWriter::Create(path, "saferl", "saferl"));
  std::map<std::string, std::string> values = {
      {"format", kFormat},
      {"robot", info.robot},
      {"robot_sha256", info.robot_sha256},
      {"policy_sha256", info.policy_sha256},
      {"n", Cat(info.n)},
      {"pose", Cat(PoseSize(robot))},
      {"period_ns", Cat(info.period_ns)},
      {"wall_time_ns", Cat(info.wall_time_ns)},
  };
  for (const auto& [key, value] : info.settings) values[kSettingPrefix + key] = value;
  McapWriter& mcap = *writer->mcap_;
  SAFERL_RETURN_IF_ERROR(mcap.AddMetadata(kMetadata, values));
  writer->shape_ = ShapeOf(robot);
  writer->wheelchair_ = robot.kind() == robot::Kind::kWheelchair;
  writer->decision_channel_ = mcap.AddChannel(0, kDecisionTopic, "x-saferl-decision-v1");
  const uint16_t summary = mcap.AddSchema("saferl.Summary", "jsonschema", kSummarySchema);
  writer->summary_channel_ = mcap.AddChannel(summary, "/saferl/summary", "json");
  if (writer->wheelchair_) {
    const uint16_t pose = mcap.AddSchema("foxglove.PoseInFrame", "jsonschema", kPoseSchema);
    writer->pose_channel_ = mcap.AddChannel(pose, "/saferl/pose", "json");
  }
  return writer;
}

Status DecisionLogWriter::Write(const Decision& decision) {
  buffer_.clear();
  EncodeDecision(shape_, decision, &buffer_);
  const auto time = static_cast<uint64_t>(decision.input.now_ns);
  SAFERL_RETURN_IF_ERROR(mcap_->Write(decision_channel_, sequence_++, time, buffer_));
  const int64_t since = Elapsed(readable_ns_, decision.input.now_ns);
  if (any_readable_ && decision.command.mode == mode_ && since >= 0 && since < kReadablePeriod_ns)
    return absl::OkStatus();
  any_readable_ = true;
  mode_ = decision.command.mode;
  readable_ns_ = decision.input.now_ns;
  return WriteReadable(decision);
}

Status DecisionLogWriter::WriteReadable(const Decision& decision) {
  const auto time = static_cast<uint64_t>(decision.input.now_ns);
  SAFERL_RETURN_IF_ERROR(
      mcap_->Write(summary_channel_, sequence_, time, SummaryJson(decision, shape_.n)));
  if (!wheelchair_) return absl::OkStatus();
  return mcap_->Write(pose_channel_, sequence_, time, PoseJson(decision));
}

StatusOr<std::unique_ptr<DecisionLogReader>> DecisionLogReader::Open(
    const std::string& path, const McapReadOptions& options) {
  std::unique_ptr<DecisionLogReader> reader(new DecisionLogReader());
  reader->name_ = path;
  SAFERL_ASSIGN_OR_RETURN(reader->mcap_, McapReader::Open(path, options));
  SAFERL_RETURN_IF_ERROR(reader->ReadInfo());
  return reader;
}

StatusOr<std::unique_ptr<DecisionLogReader>> DecisionLogReader::OpenBytes(
    std::string_view bytes, std::string_view name, const McapReadOptions& options) {
  std::unique_ptr<DecisionLogReader> reader(new DecisionLogReader());
  reader->name_ = name;
  SAFERL_ASSIGN_OR_RETURN(reader->mcap_, McapReader::OpenBytes(bytes, name, options));
  SAFERL_RETURN_IF_ERROR(reader->ReadInfo());
  return reader;
}

/// Advances to the next decision message.
StatusOr<bool> DecisionLogReader::NextMessage() {
  for (;;) {
    SAFERL_ASSIGN_OR_RETURN(const bool found, mcap_->Next(&message_));
    if (!found) return false;
    if (mcap_->channel(message_.channel_id)->topic == kDecisionTopic) return true;
  }
}

Status DecisionLogReader::ReadInfo() {
  SAFERL_ASSIGN_OR_RETURN(has_message_, NextMessage());
  const auto found = mcap_->metadata().find(kMetadata);
  if (found == mcap_->metadata().end())
    return absl::InvalidArgumentError(
        Cat(name_, ": no metadata named 'saferl'; give a log that saferl recorded"));
  std::map<std::string, std::string> values = found->second;
  const auto number = [&values](const char* key) {
    int64_t value = -1;
    const std::string& text = values[key];
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  if (values["format"] != kFormat)
    return absl::InvalidArgumentError(Cat(name_, ": log format '", values["format"],
                                          "' is not 1; use the program version that wrote it"));
  info_.robot = values["robot"];
  info_.robot_sha256 = values["robot_sha256"];
  info_.policy_sha256 = values["policy_sha256"];
  info_.n = static_cast<int>(number("n"));
  info_.period_ns = number("period_ns");
  info_.wall_time_ns = number("wall_time_ns");
  shape_ = {info_.n, static_cast<int>(number("pose"))};
  if (shape_.n < 1 || shape_.n > robot::kMaxDof || shape_.pose < 1 || shape_.pose > robot::kMaxDof)
    return absl::InvalidArgumentError(Cat(name_, ": metadata: n = ", shape_.n, ", pose = ",
                                          shape_.pose, " cannot be; the file is damaged"));
  for (const auto& [key, value] : values)
    if (key.starts_with(kSettingPrefix))
      info_.settings[key.substr(sizeof kSettingPrefix - 1)] = value;
  return absl::OkStatus();
}

StatusOr<bool> DecisionLogReader::Next(Decision* decision) {
  if (!has_message_) {
    SAFERL_ASSIGN_OR_RETURN(has_message_, NextMessage());
    if (!has_message_) return false;
  }
  has_message_ = false;
  if (Status status = DecodeDecision(shape_, message_.data, decision); !status.ok())
    return absl::InvalidArgumentError(Cat(name_, ": decision ", count_, ": ", status.message()));
  ++count_;
  return true;
}

}  // namespace saferl::control
