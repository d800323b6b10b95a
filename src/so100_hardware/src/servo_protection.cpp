#include "so100_hardware/servo_protection.hpp"

#include <cstdlib>

namespace so100 {

void ServoProtection::step(const ProtectionInputs& in, double dt_s) noexcept {
  unloading_ = in.unloading_condition;
  passing_ = 0;
  if (in.voltage_dv < in.min_voltage_dv || in.voltage_dv > in.max_voltage_dv) passing_ |= kVoltageError;
  if (in.temperature_c >= in.max_temperature_c) passing_ |= kOverheatError;
  const bool overloaded = in.overload_permille > 0 && std::abs(in.load_permille) >= in.overload_permille;
  const bool over_current = in.max_current_counts > 0 && std::abs(in.current_counts) >= in.max_current_counts;
  overloaded_s_ = overloaded ? overloaded_s_ + dt_s : 0.0;
  over_current_s_ = over_current ? over_current_s_ + dt_s : 0.0;
  if (overloaded && overloaded_s_ > in.overload_time_s) lasting_ |= kOverloadError;
  if (over_current && over_current_s_ > in.over_current_time_s) lasting_ |= kOverCurrentError;
}

void ServoProtection::torque_written() noexcept {
  lasting_ = imposed_;
  overloaded_s_ = over_current_s_ = 0.0;
}

void ServoProtection::impose_overload(bool imposed) noexcept {
  imposed_ = imposed ? kOverloadError : 0;
  if (imposed) lasting_ |= kOverloadError;
}

}  // namespace so100
