// Whether a reading can be true. A checksum of 8 bits lets one garbled packet in 256 through; what an arm cannot do
// catches most of those.
#pragma once

#include <array>
#include <cstddef>

#include "so100_hardware/servo_group.hpp"

namespace so100 {

constexpr double kFastestRadS = 15.0;      // of a shaft: three times the servo's no-load speed, so also by hand
constexpr double kPlayRad = 0.1;           // beyond that, for what timing and encoder may add
constexpr double kHighestVoltageV = 16.0;  // the servo's own limit register ends there
constexpr double kHighestTemperatureC = 120.0;
constexpr double kHighestLoad = 1.1;
constexpr double kHighestCurrentA = 13.0;
constexpr int kAgreeing = 3;  // readings that contradict the past but not each other are believed from this one on

// One arm's memory of what was believed last. No allocation.
class Plausibility {
 public:
  // Takes a reading as true, whatever it says: at the start.
  void believe(std::size_t joint, double position_rad, double now_s) noexcept;

  // Whether row `joint` of a fresh reading can be true; if so it is believed from now on.
  bool check(const GroupState& reading, std::size_t joint, double now_s) noexcept;

 private:
  struct Past {
    double position_rad = 0.0;
    double s = 0.0;
    double doubted_rad = 0.0;  // the last one that was not believed
    double doubted_s = 0.0;
    int agreeing = 0;  // doubted readings in a row that fit each other
  };
  std::array<Past, kMaxServos> past_{};
};

}  // namespace so100
