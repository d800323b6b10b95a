// One simulated STS3215: its registers, what they do to a write, and its motion profile. No I/O and no clock of its
// own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "so100_hardware/registers.hpp"

namespace so100 {

struct ServoSetpoint {
  double position_ticks = 0.0;  // of the shaft, like VirtualServo::present's; the present one while torque is off
  bool torque_enabled = false;
};

class VirtualServo {
 public:
  VirtualServo(uint8_t id, double start_ticks) noexcept;

  uint8_t id() const noexcept;
  uint8_t error_bits() const noexcept;
  double return_delay_s() const noexcept;
  bool answers_writes() const noexcept;

  // As the bus does it. Bytes behind the register sheet read as zero.
  void read(uint8_t address, std::size_t size, uint8_t* data) const noexcept;
  // Read-only registers stay; EEPROM stays while `lock` is 1. Both are acknowledged all the same.
  void write(uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  void reg_write(uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  void action() noexcept;

  // As the world does it: any register, whatever its access.
  int32_t get(const Register& r) const noexcept;
  void set(const Register& r, int32_t value) noexcept;

  // What the shaft does now; then the profile moves on by dt_s. `actual_ticks` is the encoder's count without the
  // homing offset and may lie outside one turn; load is 1000 at full drive.
  void present(double actual_ticks, double speed_ticks_s, double load_permille, double dt_s) noexcept;
  ServoSetpoint setpoint() const noexcept;
  double actual_ticks() const noexcept { return actual_ticks_; }

 private:
  struct PendingWrite {
    uint8_t address = 0;
    std::size_t size = 0;
    std::array<uint8_t, 255> data{};
  };

  double goal_ticks() const noexcept;
  void advance_profile(double dt_s) noexcept;
  void torque_command(uint8_t before) noexcept;
  void show_present() noexcept;
  void show_moving() noexcept;

  std::array<uint8_t, 256> memory_{};
  PendingWrite pending_;
  double actual_ticks_;
  double speed_ticks_s_ = 0.0;
  double load_permille_ = 0.0;
  double profile_ticks_;        // in the bus's count, the homing offset taken off
  double profile_speed_ = 0.0;  // ticks/s
};

}  // namespace so100
