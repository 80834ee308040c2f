#include "saferl/base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "saferl/base/clock.h"

namespace saferl {
namespace {

constexpr int64_t kBarPeriodNs = 100'000'000;
constexpr int64_t kLinePeriodNs = 5 * kNanosPerSecond;

}  // namespace

std::string HumanCount(double value) {
  constexpr const char* kSuffix[] = {"", " k", " M", " G", " T"};
  size_t i = 0;
  while (std::abs(value) >= 999.5 && i < 4) {
    value /= 1000;
    ++i;
  }
  return fmt::format("{:.3g}{}", value, kSuffix[i]);
}

std::string HumanTime(double seconds) {
  const int64_t s =
      std::isfinite(seconds) ? static_cast<int64_t>(std::clamp(seconds, 0.0, 3.6e8)) : 0;
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

Progress::Progress(std::string title, std::string unit, uint64_t total, bool quiet, int fd)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      terminal_(::isatty(fd) == 1),
      fd_(fd),
      started_ns_(Nanos()),
      shown_ns_(started_ns_) {}

Progress::~Progress() { Finish(); }

std::string Progress::Text(const std::string& title, const std::string& unit, uint64_t done,
                           uint64_t total, double elapsed_s, const std::string& note, bool bar) {
  const double fraction =
      total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const double rate = elapsed_s > 0 ? static_cast<double>(done) / elapsed_s : 0.0;
  std::string text = title;
  if (bar) {
    const size_t filled = static_cast<size_t>(fraction * 30);
    text += fmt::format(" [{}{}]", std::string(filled, '#'), std::string(30 - filled, '-'));
  }
  text += fmt::format(" {:3.0f} %  {} {}/s", fraction * 100, HumanCount(rate), unit);
  if (done >= total) {
    text += fmt::format("  {} in all", HumanTime(elapsed_s));
  } else if (rate > 0) {
    text += fmt::format("  {} left", HumanTime(static_cast<double>(total - done) / rate));
  }
  return note.empty() ? text : text + "  " + note;
}

void Progress::Update(uint64_t done, const std::string& note) {
  done_ = done;
  note_ = note;
  if (quiet_ || finished_) return;
  const int64_t now = Nanos();
  if (now - shown_ns_ < (terminal_ ? kBarPeriodNs : kLinePeriodNs)) return;
  shown_ns_ = now;
  Write(false);
}

void Progress::Finish() {
  if (finished_) return;
  finished_ = true;
  if (!quiet_) Write(true);
}

void Progress::Write(bool last) {
  std::string text =
      Text(title_, unit_, done_, total_, Seconds(Nanos() - started_ns_), note_, terminal_);
  text = terminal_ ? "\r\033[K" + text + (last ? "\n" : "") : text + "\n";
  // Progress is a courtesy: a closed terminal must not stop the job.
  if (::write(fd_, text.data(), text.size()) < 0) quiet_ = true;
}

}  // namespace saferl
