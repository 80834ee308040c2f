#pragma once
// Progress of a long job: a bar with rate and time left on a terminal, a plain line every few
// seconds elsewhere. Written to standard error, so that standard output stays the answer.
//
// RT: no. One thread calls Update; it may be called as often as one likes.

#include <cstdint>
#include <string>

namespace saferl {

class Progress {
 public:
  /// `total` steps of `unit` ("steps", "ticks"). `fd` is where it goes; quiet: nothing is written.
  Progress(std::string title, std::string unit, uint64_t total, bool quiet = false, int fd = 2);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` steps so far; `note` is shown behind the numbers.
  void Update(uint64_t done, const std::string& note = "");
  /// Ends the bar with its last state; the destructor does it too.
  void Finish();

  /// The text for a state: "train [#####-----]  50 %  12.3 k steps/s  1:05 left  note".
  static std::string Text(const std::string& title, const std::string& unit, uint64_t done,
                          uint64_t total, double elapsed_s, const std::string& note, bool bar);

 private:
  void Write(bool last);

  std::string title_, unit_, note_;
  uint64_t total_, done_ = 0;
  bool quiet_, terminal_, finished_ = false;
  int fd_;
  int64_t started_ns_, shown_ns_;
};

/// 1234567 -> "1.23 M".
std::string HumanCount(double value);
/// 3725 -> "1:02:05".
std::string HumanTime(double seconds);

}  // namespace saferl
