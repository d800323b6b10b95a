// The servo bus as a wire: one line for both directions, ten bit times a byte, one sender at a time.
#pragma once

#include <cstddef>

namespace so100 {

// Of CLOCK_MONOTONIC, in seconds: Python's time.monotonic().
double monotonic_s() noexcept;

// Returns at that time, not before; sleeps but for the last bit of the wait.
void wait_until(double time_s) noexcept;
// How much of a wait is better spent awake: a sleeper is woken up to this much late.
constexpr double kWakeUpS = 60e-6;

// State: until when the line is busy. Without timing bytes take no time and the line is always free.
class Wire {
 public:
  explicit Wire(bool timed) noexcept : timed_(timed) {}

  struct Span {
    double begin_s;
    double end_s;
  };
  // Puts `count` bytes that are ready at `ready_s` on the line as soon as it is free.
  Span carry(std::size_t count, double ready_s, int baud_rate) noexcept;

  double byte_time_s(int baud_rate) const noexcept { return timed_ && baud_rate > 0 ? 10.0 / baud_rate : 0.0; }

 private:
  bool timed_;
  double busy_until_s_ = 0.0;
};

}  // namespace so100
