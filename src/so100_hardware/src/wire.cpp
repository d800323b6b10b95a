#include "so100_hardware/wire.hpp"

#include <time.h>

#include <algorithm>
#include <cmath>

namespace so100 {

double monotonic_s() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void wait_until(double time_s) noexcept {
  const double wake_s = time_s - kWakeUpS;
  if (wake_s > monotonic_s()) {
    const double whole_s = std::floor(wake_s);
    const timespec wake = {static_cast<time_t>(whole_s), static_cast<long>((wake_s - whole_s) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr);
  }
  while (monotonic_s() < time_s) {
  }
}

Wire::Span Wire::carry(std::size_t count, double ready_s, int baud_rate) noexcept {
  if (!timed_) return {ready_s, ready_s};
  const double begin_s = std::max(ready_s, busy_until_s_);
  busy_until_s_ = begin_s + static_cast<double>(count) * byte_time_s(baud_rate);
  return {begin_s, busy_until_s_};
}

}  // namespace so100
