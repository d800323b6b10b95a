// One simulated STS3215: its registers, what they do to a write, its motion profile and its protection. No I/O and no
// clock of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "so100_hardware/registers.hpp"
#include "so100_hardware/servo_protection.hpp"

namespace so100 {

struct ServoSetpoint {
  double position_ticks = 0.0;  // of the shaft, like VirtualServo::present's; the present one while torque is off
  bool torque_enabled = false;
  double torque_share = 0.0;  // of full drive that the servo gives at most, 0..1
};

// What befalls a servo besides being turned. Each lasts while it is set.
struct ServoConditions {
  bool mute = false;                    // takes no notice of the bus
  bool unpowered = false;               // off; power-on follows its end
  bool blocked = false;                 // the shaft does not turn
  bool overloaded = false;              // as if it had held too much for too long
  std::optional<double> temperature_c;  // held there
  std::optional<double> voltage_v;
  std::optional<uint8_t> answers_as;  // the id that it obeys and answers with, whatever its register says
};

class VirtualServo {
 public:
  VirtualServo(uint8_t id, double start_ticks) noexcept;

  uint8_t id() const noexcept;  // on the bus
  uint8_t error_bits() const noexcept;
  double return_delay_s() const noexcept;
  int baud_rate() const noexcept;
  bool answers_writes() const noexcept;

  // As the bus does it. Bytes behind the register sheet read as zero.
  void read(uint8_t address, std::size_t size, uint8_t* data) const noexcept;
  // Read-only registers stay; EEPROM stays while `lock` is 1. Both are acknowledged all the same. True where EEPROM
  // took something.
  bool write(uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  void reg_write(uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  bool action() noexcept;

  // As the world does it: any register, whatever its access.
  int32_t get(const Register& r) const noexcept;
  void set(const Register& r, int32_t value) noexcept;
  void impose(const ServoConditions& conditions) noexcept;
  const ServoConditions& conditions() const noexcept { return conditions_; }
  // SRAM as after power-on: torque off, EEPROM locked, torque limit from EEPROM.
  void power_on() noexcept;

  // What the shaft does now; then the servo's own time moves on by dt_s. `actual_ticks` is the encoder's count without
  // the homing offset and may lie outside one turn; load is 1000 at full drive.
  void present(double actual_ticks, double speed_ticks_s, double load_permille, double dt_s) noexcept;
  ServoSetpoint setpoint() const noexcept;
  double actual_ticks() const noexcept { return actual_ticks_; }

 private:
  struct PendingWrite {
    uint8_t address = 0;
    std::size_t size = 0;
    std::array<uint8_t, 255> data{};
  };

  void store(const Register& r, int32_t value) noexcept;
  bool has_torque() const noexcept;
  double goal_ticks() const noexcept;
  double blocked_load() const noexcept;
  void warm_up(double dt_s) noexcept;
  void protect(double dt_s) noexcept;
  void advance_profile(double dt_s) noexcept;
  void torque_command(uint8_t before) noexcept;
  void show_present() noexcept;
  void show_moving() noexcept;

  std::array<uint8_t, 256> memory_{};
  PendingWrite pending_;
  ServoConditions conditions_;
  ServoProtection protection_;
  double actual_ticks_;
  double speed_ticks_s_ = 0.0;
  double load_permille_ = 0.0;
  double temperature_c_;
  double free_temperature_c_;  // where it goes on when nothing holds it any more
  double free_voltage_v_;
  double blocked_ticks_ = 0.0;  // where the shaft was blocked
  double profile_ticks_ = 0.0;  // in the bus's count, the homing offset taken off
  double profile_speed_ = 0.0;  // ticks/s
};

}  // namespace so100
