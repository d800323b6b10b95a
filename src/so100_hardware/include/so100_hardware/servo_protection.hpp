// What an STS3215 does to save itself: error bits, less torque, no torque.
#pragma once

#include <cstdint>

namespace so100 {

constexpr uint8_t kVoltageError = 1;
constexpr uint8_t kOverheatError = 4;
constexpr uint8_t kOverCurrentError = 8;
constexpr uint8_t kOverloadError = 32;

struct ProtectionInputs {
  int temperature_c, max_temperature_c;
  int voltage_dv, min_voltage_dv, max_voltage_dv;  // 0.1 V
  int load_permille, overload_permille;
  int current_counts, max_current_counts;
  double overload_time_s, over_current_time_s;  // how long load and current are borne
  uint8_t unloading_condition;                  // the errors that cost torque
};

// State: how long load and current have been too high, and what has tripped. Overload and over-current stay until
// torque is written; heat and voltage go when their cause goes.
class ServoProtection {
 public:
  void step(const ProtectionInputs& in, double dt_s) noexcept;
  void torque_written() noexcept;
  void power_on() noexcept { *this = ServoProtection(); }
  // As if overloaded for long enough, now and for as long as `imposed`.
  void impose_overload(bool imposed) noexcept;

  uint8_t error_bits() const noexcept { return static_cast<uint8_t>(lasting_ | passing_ | imposed_); }
  // Only protective_torque is left.
  bool torque_reduced() const noexcept { return (error_bits() & kOverloadError & unloading_) != 0; }
  bool torque_off() const noexcept { return (error_bits() & ~kOverloadError & unloading_) != 0; }

 private:
  uint8_t lasting_ = 0;
  uint8_t passing_ = 0;
  uint8_t imposed_ = 0;
  uint8_t unloading_ = 0;
  double overloaded_s_ = 0.0;
  double over_current_s_ = 0.0;
};

}  // namespace so100
