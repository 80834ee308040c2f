#include "saferl/control/human_input/trace.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::control {

namespace {

constexpr size_t kMaxLines = 10'000'000;
constexpr double kMaxTime_s = 1e7;
/// A line speaks for at most this long after it: then the person counts as gone.
constexpr int64_t kHold_ns = 500'000'000;

std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const size_t comma = line.find(',');
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

bool Number(std::string_view cell, double* value) {
  while (!cell.empty() && cell.front() == ' ') cell.remove_prefix(1);
  while (!cell.empty() && cell.back() == ' ') cell.remove_suffix(1);
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), *value);
  return error == std::errc() && end == cell.data() + cell.size() && std::isfinite(*value);
}

/// What a header says: which optional columns follow the commands.
struct Columns {
  int n = 0;
  std::vector<std::string> extra;
};

Status ParseHeader(std::string_view line, std::string_view name, int n, Columns* columns) {
  const std::vector<std::string_view> cells = Split(line);
  columns->n = n;
  for (size_t i = 0; i < std::max(cells.size(), static_cast<size_t>(n) + 1); ++i) {
    const std::string expected = i == 0 ? "t_s" : Cat("u", i - 1);
    const std::string_view found = i < cells.size() ? cells[i] : "nothing";
    if (i > static_cast<size_t>(n)) {
      if (found != "stop" && found != "acknowledge" && found != "enabled" && found != "silent")
        return absl::InvalidArgumentError(
            Cat(name, ":1: column ", i + 1, " is '", found,
                "'; after the commands only stop, acknowledge, enabled and silent may follow"));
      columns->extra.emplace_back(found);
    } else if (found != expected) {
      return absl::InvalidArgumentError(Cat(name, ":1: column ", i + 1, " is '", found,
                                            "', expected '", expected, "'; this robot has ", n,
                                            " command components"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<HumanTrace> HumanTrace::Load(const std::string& path, int n) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return Parse(text, path, n);
}

StatusOr<HumanTrace> HumanTrace::Parse(std::string_view text, std::string_view name, int n) {
  HumanTrace trace(n);
  Columns columns;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (number == 1) {
      SAFERL_RETURN_IF_ERROR(ParseHeader(line, name, n, &columns));
      continue;
    }
    const auto bad = [&](std::string_view problem) {
      return absl::InvalidArgumentError(Cat(name, ":", number, ": ", problem));
    };
    if (number > kMaxLines + 1) return bad("more than 10 million lines; cut the trace");
    const std::vector<std::string_view> cells = Split(line);
    const size_t wanted = 1 + static_cast<size_t>(n) + columns.extra.size();
    if (cells.size() != wanted)
      return bad(Cat("has ", cells.size(), " values, the header has ", wanted,
                     "; fix or remove the line"));
    Line parsed;
    double value = 0;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!Number(cells[i], &value))
        return bad(Cat("value ", i + 1, " '", cells[i].substr(0, 40), "' is not a finite number"));
      if (i == 0) {
        if (value < 0 || value > kMaxTime_s)
          return bad(Cat("t_s = ", value, " is outside [0, 1e7]"));
        parsed.time_ns = FromSeconds(value);
      } else if (i <= static_cast<size_t>(n)) {
        parsed.input.u[i - 1] = value;
      } else {
        if (value != 0 && value != 1)
          return bad(Cat(columns.extra[i - 1 - static_cast<size_t>(n)], " must be 0 or 1"));
        const std::string& key = columns.extra[i - 1 - static_cast<size_t>(n)];
        if (key == "stop") parsed.input.stop = value == 1;
        if (key == "acknowledge") parsed.input.acknowledge = value == 1;
        if (key == "enabled") parsed.input.enabled = value == 1;
        if (key == "silent" && value == 1) {
          const bool already = !trace.lines_.empty() && trace.lines_.back().silent_since_ns >= 0;
          parsed.silent_since_ns = already ? trace.lines_.back().silent_since_ns : parsed.time_ns;
        }
      }
    }
    if (!trace.lines_.empty() && parsed.time_ns <= trace.lines_.back().time_ns)
      return bad("t_s does not grow; sort the lines by time");
    parsed.input.sequence = trace.lines_.size() + 1;
    trace.lines_.push_back(parsed);
  }
  if (trace.lines_.empty())
    return absl::InvalidArgumentError(
        Cat(name, ": no data lines; give a header and at least one line"));
  return trace;
}

HumanInput HumanTrace::At(int64_t now_ns, int64_t start_ns) const {
  const int64_t t = now_ns - start_ns;
  const auto next =
      std::upper_bound(lines_.begin(), lines_.end(), t,
                       [](int64_t time, const Line& line) { return time < line.time_ns; });
  if (next == lines_.begin()) {
    HumanInput nothing;
    nothing.stamp_ns = now_ns;
    return nothing;
  }
  const Line& line = *std::prev(next);
  HumanInput input = line.input;
  const int64_t end = std::max(line.time_ns, end_ns_) + kHold_ns;
  const bool ended = next == lines_.end() && t > end;
  input.stamp_ns = line.silent_since_ns >= 0 ? start_ns + line.silent_since_ns
                   : ended                   ? start_ns + end
                                             : now_ns;
  return input;
}

void HumanTrace::Add(int64_t time_ns, const HumanInput& input) {
  const bool silent = input.stamp_ns == last_stamp_ns_;
  last_stamp_ns_ = input.stamp_ns;
  end_ns_ = time_ns;
  const Line* before = lines_.empty() ? nullptr : &lines_.back();
  const bool was_silent = before != nullptr && before->silent_since_ns >= 0;
  if (before != nullptr && silent == was_silent &&
      std::memcmp(&before->input.u, &input.u, sizeof input.u) == 0 &&
      before->input.stop == input.stop && before->input.acknowledge == input.acknowledge &&
      before->input.enabled == input.enabled)
    return;
  Line line{time_ns, -1, input};
  if (silent) line.silent_since_ns = was_silent ? before->silent_since_ns : time_ns;
  line.input.sequence = lines_.size() + 1;
  lines_.push_back(line);
}

std::string HumanTrace::Text() const {
  std::string out = "t_s";
  for (int i = 0; i < n_; ++i) out += Cat(",u", i);
  out += ",stop,acknowledge,enabled,silent\n";
  const auto put = [&](int64_t time_ns, const Line& line) {
    out += Cat(Seconds(time_ns));
    for (int i = 0; i < n_; ++i) out += Cat(",", line.input.u[i]);
    for (const bool word :
         {line.input.stop, line.input.acknowledge, line.input.enabled, line.silent_since_ns >= 0})
      out += word ? ",1" : ",0";
    out += "\n";
  };
  for (const Line& line : lines_) put(line.time_ns, line);
  if (!lines_.empty() && end_ns_ > lines_.back().time_ns) put(end_ns_, lines_.back());
  return out;
}

double HumanTrace::duration_s() const { return Seconds(std::max(lines_.back().time_ns, end_ns_)); }

}  // namespace saferl::control
