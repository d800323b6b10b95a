#include "so100_hardware/plausibility.hpp"

#include <cmath>

namespace so100 {
namespace {

bool reachable(double from_rad, double from_s, double to_rad, double to_s) noexcept {
  return std::abs(to_rad - from_rad) <= kPlayRad + kFastestRadS * (to_s - from_s);
}

bool possible(const GroupState& reading, std::size_t i) noexcept {
  return std::abs(reading.velocity_rad_s[i]) <= kFastestRadS && std::abs(reading.effort[i]) <= kHighestLoad &&
         reading.voltage_v[i] <= kHighestVoltageV && reading.temperature_c[i] <= kHighestTemperatureC &&
         std::abs(reading.current_a[i]) <= kHighestCurrentA;
}

}  // namespace

void Plausibility::believe(std::size_t joint, double position_rad, double now_s) noexcept {
  past_[joint] = {position_rad, now_s, 0.0, 0.0, 0};
}

bool Plausibility::check(const GroupState& reading, std::size_t joint, double now_s) noexcept {
  Past& past = past_[joint];
  const double position_rad = reading.position_rad[joint];
  if (!possible(reading, joint)) return false;
  if (reachable(past.position_rad, past.s, position_rad, now_s)) {
    believe(joint, position_rad, now_s);
    return true;
  }
  const bool agrees = past.agreeing > 0 && reachable(past.doubted_rad, past.doubted_s, position_rad, now_s);
  past.agreeing = agrees ? past.agreeing + 1 : 1;
  past.doubted_rad = position_rad;
  past.doubted_s = now_s;
  if (past.agreeing < kAgreeing) return false;
  believe(joint, position_rad, now_s);
  return true;
}

}  // namespace so100
