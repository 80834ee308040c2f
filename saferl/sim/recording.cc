#include "saferl/sim/recording.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "fmt/format.h"
#include "saferl/base/file.h"

namespace saferl::sim {
namespace {

constexpr size_t kMaxRows = 500'000;
constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr double kMaxCoordinate_m = 1e4;
constexpr double kMaxTime_s = 1e5;

using Cells = std::vector<std::string_view>;

Cells Split(std::string_view text, char separator) {
  Cells cells;
  while (true) {
    const size_t at = text.find(separator);
    cells.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return cells;
    text.remove_prefix(at + 1);
  }
}

struct Where {
  std::string_view name;
  size_t line;
  Status Error(std::string_view problem) const {
    return absl::InvalidArgumentError(fmt::format("{}:{}: {}", name, line, problem));
  }
};

Status Number(const Where& where, std::string_view column, std::string_view cell, double limit,
              double* value) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), *value);
  if (error != std::errc() || end != cell.data() + cell.size() || !std::isfinite(*value)) {
    return where.Error(
        fmt::format("{}: '{}' is not a number; write decimal digits", column, cell.substr(0, 40)));
  }
  if (std::abs(*value) > limit) {
    return where.Error(fmt::format("{}: {} is beyond {}; check the unit", column, *value, limit));
  }
  return absl::OkStatus();
}

Status SkeletonHeader(const Where& where, const Cells& header) {
  const size_t expected = 1 + 3 * static_cast<size_t>(robot::kBodyJoints);
  if (header.size() != expected) {
    return where.Error(fmt::format("{} columns; a skeleton has {}: t_s and x, y, z of 17 joints",
                                   header.size(), expected));
  }
  for (size_t c = 1; c < expected; ++c) {
    const auto joint = static_cast<robot::BodyJoint>((c - 1) / 3);
    const std::string name = fmt::format("{}_{}_m", robot::Name(joint), "xyz"[(c - 1) % 3]);
    if (header[c] != name)
      return where.Error(
          fmt::format("column {}: '{}'; expected '{}'", c + 1, header[c].substr(0, 40), name));
  }
  return absl::OkStatus();
}

Status SkeletonRow(const Where& where, const Cells& header, const Cells& row,
                   Recording* recording) {
  double t = 0;
  SAFERL_RETURN_IF_ERROR(Number(where, "t_s", row[0], kMaxTime_s, &t));
  if (!recording->t_s.empty() && t <= recording->t_s.back()) {
    return where.Error(fmt::format("t_s: {} does not come after {}; sort the rows by time", t,
                                   recording->t_s.back()));
  }
  robot::Skeleton pose;
  for (size_t j = 0; j < pose.size(); ++j) {
    const std::array<double*, 3> axis = {&pose[j].x, &pose[j].y, &pose[j].z};
    for (size_t k = 0; k < 3; ++k) {
      const size_t c = 1 + 3 * j + k;
      SAFERL_RETURN_IF_ERROR(Number(where, header[c], row[c], kMaxCoordinate_m, axis[k]));
    }
  }
  if (!recording->t_s.empty()) {
    const double dt = t - recording->t_s.back();
    for (size_t j = 0; j < pose.size(); ++j) {
      const double speed = math::Norm(pose[j] - recording->pose.back()[j]) / dt;
      const auto joint = static_cast<robot::BodyJoint>(j);
      const bool reaching =
          joint == robot::BodyJoint::kRightElbow || joint == robot::BodyJoint::kRightWrist ||
          joint == robot::BodyJoint::kLeftElbow || joint == robot::BodyJoint::kLeftWrist;
      recording->max_speed_m_s = std::max(recording->max_speed_m_s, speed);
      if (reaching) recording->max_reach_m_s = std::max(recording->max_reach_m_s, speed);
    }
  }
  recording->t_s.push_back(t);
  recording->pose.push_back(pose);
  return absl::OkStatus();
}

Status TrackRow(const Where& where, const Cells& row,
                std::map<std::string, size_t, std::less<>>* index, Recording* recording) {
  double t = 0;
  Point p;
  SAFERL_RETURN_IF_ERROR(Number(where, "t_s", row[0], kMaxTime_s, &t));
  SAFERL_RETURN_IF_ERROR(Number(where, "x_m", row[2], kMaxCoordinate_m, &p.x));
  SAFERL_RETURN_IF_ERROR(Number(where, "y_m", row[3], kMaxCoordinate_m, &p.y));
  if (row[1].empty() || row[1].size() > 32)
    return where.Error("who: give a name of 1 to 32 letters");
  if (row[1].front() == 'v') return absl::OkStatus();
  auto found = index->find(row[1]);
  if (found == index->end()) {
    found = index->emplace(std::string(row[1]), recording->tracks.size()).first;
    recording->tracks.push_back({std::string(row[1]), {}, {}});
  }
  Track& track = recording->tracks[found->second];
  if (!track.t_s.empty()) {
    if (t <= track.t_s.back()) {
      return where.Error(
          fmt::format("t_s: {} of '{}' does not come after {}; sort the rows by time", t, track.who,
                      track.t_s.back()));
    }
    recording->max_speed_m_s =
        std::max(recording->max_speed_m_s, Norm(p - track.p_m.back()) / (t - track.t_s.back()));
  }
  track.t_s.push_back(t);
  track.p_m.push_back(p);
  return absl::OkStatus();
}

/// Index of the last sample at or before t, and how far t is on the way to the next one.
size_t Locate(const std::vector<double>& times, double t, double* share) {
  const auto after = std::upper_bound(times.begin(), times.end(), t);
  if (after == times.begin() || after == times.end()) {
    *share = 0;
    return after == times.begin() ? 0 : times.size() - 1;
  }
  const size_t i = static_cast<size_t>(after - times.begin()) - 1;
  *share = (t - times[i]) / (times[i + 1] - times[i]);
  return i;
}

}  // namespace

bool Recording::At(size_t i, double t, Point* p) const {
  const Track& track = tracks[i];
  if (track.t_s.empty() || t < track.t_s.front() || t > track.t_s.back()) return false;
  double share = 0;
  const size_t k = Locate(track.t_s, t, &share);
  *p = track.p_m[k];
  if (share > 0) *p = *p + share * (track.p_m[k + 1] - track.p_m[k]);
  return true;
}

bool Recording::Passing(size_t i, double played_s, Point* p) const {
  const double t = Played(played_s);
  if (At(i, t, p)) return true;
  constexpr double kSome_m = 0.2, kWalk_m_s = 0.7;
  const Track& track = tracks[i];
  const size_t n = track.t_s.size();
  const bool before = n > 0 && t < track.t_s.front();
  if (before != PlaysForward(played_s)) return false;  // has left
  const size_t edge = before ? 0 : n - 1;
  // From the edge inward to the first sample that is some way off.
  for (size_t step = 1; step < n; ++step) {
    const size_t k = before ? step : n - 1 - step;
    const Point way = track.p_m[edge] - track.p_m[k];
    const double length = Norm(way);
    if (length < kSome_m) continue;
    const double speed = std::max(kWalk_m_s, length / std::abs(track.t_s[edge] - track.t_s[k]));
    *p = track.p_m[edge] + (speed * std::abs(t - track.t_s[edge]) / length) * way;
    return true;
  }
  return false;
}

robot::Skeleton Recording::PoseAt(double t) const {
  double share = 0;
  const size_t k = Locate(t_s, t, &share);
  robot::Skeleton result = pose[k];
  if (share > 0) {
    for (size_t j = 0; j < result.size(); ++j)
      result[j] = result[j] + share * (pose[k + 1][j] - pose[k][j]);
  }
  return result;
}

bool Recording::PlaysForward(double played_s) const {
  return std::fmod(std::max(0.0, played_s), 2 * end_s) <= end_s;
}

double Recording::Played(double played_s) const {
  if (end_s <= 0) return 0;
  const double turn = std::fmod(std::max(0.0, played_s), 2 * end_s);
  return turn <= end_s ? turn : 2 * end_s - turn;
}

StatusOr<Recording> ParseRecording(std::string_view text, std::string_view name) {
  Recording recording;
  recording.name = std::string(name);
  std::map<std::string, size_t, std::less<>> index;
  Cells header;
  size_t line_number = 0, rows = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const Where where{name, line_number};
    const Cells cells = Split(line, ',');
    if (header.empty()) {
      header = cells;
      const bool track = cells.size() == 4 && cells[0] == "t_s" &&
                         (cells[1] == "who" || cells[1] == "person") && cells[2] == "x_m" &&
                         cells[3] == "y_m";
      recording.skeleton = !track;
      if (cells[0] != "t_s")
        return where.Error("the first line must name the columns and begin with t_s");
      if (!track) SAFERL_RETURN_IF_ERROR(SkeletonHeader(where, cells));
      continue;
    }
    if (cells.size() != header.size()) {
      return where.Error(fmt::format("{} cells; the header has {}", cells.size(), header.size()));
    }
    if (++rows > kMaxRows)
      return where.Error(fmt::format("more than {} rows; split the recording", kMaxRows));
    SAFERL_RETURN_IF_ERROR(recording.skeleton ? SkeletonRow(where, header, cells, &recording)
                                              : TrackRow(where, cells, &index, &recording));
  }
  if (rows == 0)
    return absl::InvalidArgumentError(fmt::format("{}: no rows; give a header and samples", name));
  if (recording.skeleton) recording.end_s = recording.t_s.back();
  for (const Track& track : recording.tracks)
    recording.end_s = std::max(recording.end_s, track.t_s.back());
  return recording;
}

StatusOr<Recording> LoadRecording(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  return ParseRecording(text, path);
}

std::vector<std::string> FindRecordings(const std::string& folder, std::string_view prefix) {
  const char* from_environment = std::getenv("SAFERL_PEOPLE");
  const std::string place = folder.empty() ? (from_environment ? from_environment : "") : folder;
  std::vector<std::string> found;
  if (place.empty()) return found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(place, error)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(prefix) && file.ends_with(".csv")) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace saferl::sim
