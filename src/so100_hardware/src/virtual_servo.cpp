#include "so100_hardware/virtual_servo.hpp"

#include <algorithm>
#include <cmath>

namespace so100 {
namespace {

constexpr const Register& kId = register_named("id");
constexpr const Register& kBaudRate = register_named("baud_rate");
constexpr const Register& kReturnDelay = register_named("return_delay_time");
constexpr const Register& kStatusLevel = register_named("response_status_level");
constexpr const Register& kMinPosition = register_named("min_position_limit");
constexpr const Register& kMaxPosition = register_named("max_position_limit");
constexpr const Register& kMaxTemperature = register_named("max_temperature_limit");
constexpr const Register& kMaxVoltage = register_named("max_voltage_limit");
constexpr const Register& kMinVoltage = register_named("min_voltage_limit");
constexpr const Register& kMaxTorque = register_named("max_torque_limit");
constexpr const Register& kPhase = register_named("phase");
constexpr const Register& kUnloading = register_named("unloading_condition");
constexpr const Register& kProtectionCurrent = register_named("protection_current");
constexpr const Register& kProtectiveTorque = register_named("protective_torque");
constexpr const Register& kProtectionTime = register_named("protection_time");
constexpr const Register& kOverloadTorque = register_named("overload_torque");
constexpr const Register& kOverCurrentTime = register_named("over_current_protection_time");
constexpr const Register& kHomingOffset = register_named("homing_offset");
constexpr const Register& kTorqueEnable = register_named("torque_enable");
constexpr const Register& kAcceleration = register_named("acceleration");
constexpr const Register& kGoalPosition = register_named("goal_position");
constexpr const Register& kGoalVelocity = register_named("goal_velocity");
constexpr const Register& kTorqueLimit = register_named("torque_limit");
constexpr const Register& kLock = register_named("lock");
constexpr const Register& kPresentVelocity = register_named("present_velocity");
constexpr const Register& kPresentLoad = register_named("present_load");
constexpr const Register& kVoltage = register_named("present_voltage");
constexpr const Register& kTemperature = register_named("present_temperature");
constexpr const Register& kRegisteredWrite = register_named("registered_write");
constexpr const Register& kStatus = register_named("status");
constexpr const Register& kMoving = register_named("moving");
constexpr const Register& kMovingThreshold = register_named("moving_velocity_threshold");
constexpr const Register& kMaxVelocity = register_named("maximum_velocity_limit");
constexpr const Register& kMaxAcceleration = register_named("maximum_acceleration");

constexpr uint8_t kMiddleIsHere = 128;  // torque_enable's third value
constexpr int kMiddleTicks = 2048;
constexpr int kMultiTurnPhaseBit = 0x10;       // set: positions count on through the turns, with sign
constexpr double kVelocityStep = 50.0;         // ticks/s in a count of the factory's velocity registers
constexpr double kAccelerationStep = 100.0;    // ticks/s^2 in a count
constexpr double kStallCurrentCounts = 415.0;  // 2.7 A at full load

constexpr double kErrorOfFullDriveTicks = 100.0;  // a blocked shaft's controller drives in proportion to the error

// A housing that full drive takes from 30 to 90 degC, most of the way in two minutes.
constexpr double kAmbientC = 30.0;
constexpr double kFullDriveRiseC = 60.0;
constexpr double kThermalTimeS = 120.0;

// By the register's code.
constexpr int kBaudRates[] = {1000000, 500000, 250000, 128000, 115200, 57600, 38400, 19200};

double wrap_turn(double ticks) { return ticks - kTicksPerTurn * std::floor(ticks / kTicksPerTurn); }

}  // namespace

VirtualServo::VirtualServo(uint8_t id, double start_ticks) noexcept : actual_ticks_(start_ticks) {
  for (const Register& r : kRegisters) store(r, r.decode(r.initial));
  store(kId, id);
  temperature_c_ = free_temperature_c_ = get(kTemperature);
  free_voltage_v_ = get(kVoltage) * kVoltage.per_count;
  show_present();
}

uint8_t VirtualServo::id() const noexcept { return conditions_.answers_as.value_or(memory_[kId.address]); }
uint8_t VirtualServo::error_bits() const noexcept { return memory_[kStatus.address]; }
double VirtualServo::return_delay_s() const noexcept { return get(kReturnDelay) * kReturnDelay.per_count; }
bool VirtualServo::answers_writes() const noexcept { return get(kStatusLevel) != 0; }
bool VirtualServo::has_torque() const noexcept { return memory_[kTorqueEnable.address] != 0; }

int VirtualServo::baud_rate() const noexcept {
  return kBaudRates[std::min<std::size_t>(memory_[kBaudRate.address], std::size(kBaudRates) - 1)];
}

int32_t VirtualServo::get(const Register& r) const noexcept {
  uint16_t raw = memory_[r.address];
  if (r.size == 2) raw = static_cast<uint16_t>(raw | memory_[r.address + 1] << 8);
  return r.decode(raw);
}

void VirtualServo::store(const Register& r, int32_t value) noexcept {
  const uint16_t raw = r.encode(value);
  memory_[r.address] = static_cast<uint8_t>(raw);
  if (r.size == 2) memory_[r.address + 1] = static_cast<uint8_t>(raw >> 8);
}

void VirtualServo::set(const Register& r, int32_t value) noexcept {
  store(r, value);
  if (r.address == kTemperature.address) temperature_c_ = free_temperature_c_ = value;
  if (r.address == kVoltage.address) free_voltage_v_ = value * kVoltage.per_count;
  protect(0.0);
}

void VirtualServo::impose(const ServoConditions& conditions) noexcept {
  const ServoConditions before = conditions_;
  conditions_ = conditions;
  if (conditions.blocked && !before.blocked) blocked_ticks_ = actual_ticks_;
  if (conditions.overloaded != before.overloaded) protection_.impose_overload(conditions.overloaded);
  if (conditions.unpowered && !before.unpowered) power_on();
  if (conditions.temperature_c && !before.temperature_c) free_temperature_c_ = temperature_c_;
  temperature_c_ = conditions.temperature_c.value_or(before.temperature_c ? free_temperature_c_ : temperature_c_);
  const double voltage_v = conditions.voltage_v.value_or(free_voltage_v_);
  store(kVoltage, static_cast<int32_t>(std::lround(std::clamp(voltage_v / kVoltage.per_count, 0.0, 255.0))));
  warm_up(0.0);
  protect(0.0);
}

void VirtualServo::power_on() noexcept {
  for (const Register& r : kRegisters) {
    if (r.memory == Memory::kSram && r.access == Access::kReadWrite) store(r, r.decode(r.initial));
  }
  store(kTorqueLimit, get(kMaxTorque));
  store(kRegisteredWrite, 0);
  protection_.power_on();
  protection_.impose_overload(conditions_.overloaded);
  protect(0.0);
  show_present();
}

void VirtualServo::read(uint8_t address, std::size_t size, uint8_t* data) const noexcept {
  for (std::size_t i = 0; i < size; ++i) data[i] = address + i < memory_.size() ? memory_[address + i] : 0;
}

bool VirtualServo::write(uint8_t address, const uint8_t* data, std::size_t size) noexcept {
  const uint8_t torque_before = memory_[kTorqueEnable.address];
  bool stored = false;
  for (std::size_t i = 0; i < size && address + i < memory_.size(); ++i) {
    const Register* r = register_at(static_cast<uint8_t>(address + i));
    if (r == nullptr || r->access == Access::kReadOnly) continue;
    if (r->memory != Memory::kSram && memory_[kLock.address] != 0) continue;
    memory_[address + i] = data[i];
    stored = stored || r->memory != Memory::kSram;
    if (r->address == kTorqueEnable.address) protection_.torque_written();
  }
  torque_command(torque_before);
  protect(0.0);
  show_present();
  return stored;
}

void VirtualServo::torque_command(uint8_t before) noexcept {
  uint8_t& torque = memory_[kTorqueEnable.address];
  if (torque != kMiddleIsHere) return;
  torque = before;
  // The offset that makes this position the middle. Its register holds half a turn less one, so the far end of a turn
  // ends up a tick off, as on the servo.
  const double offset = wrap_turn(actual_ticks_) - kMiddleTicks;
  store(kHomingOffset, static_cast<int32_t>(std::lround(std::clamp(offset, -2047.0, 2047.0))));
  profile_ticks_ = kMiddleTicks;
}

void VirtualServo::reg_write(uint8_t address, const uint8_t* data, std::size_t size) noexcept {
  pending_.address = address;
  pending_.size = std::min(size, pending_.data.size());
  std::copy(data, data + pending_.size, pending_.data.begin());
  store(kRegisteredWrite, 1);
}

bool VirtualServo::action() noexcept {
  if (get(kRegisteredWrite) == 0) return false;
  store(kRegisteredWrite, 0);
  return write(pending_.address, pending_.data.data(), pending_.size);
}

void VirtualServo::present(double actual_ticks, double speed_ticks_s, double load_permille, double dt_s) noexcept {
  actual_ticks_ = actual_ticks;
  speed_ticks_s_ = speed_ticks_s;
  load_permille_ = conditions_.blocked ? blocked_load() : load_permille;
  warm_up(dt_s);
  protect(dt_s);
  show_present();
  advance_profile(dt_s);
  show_moving();
}

double VirtualServo::blocked_load() const noexcept {
  if (!has_torque()) return 0.0;
  const double most = 1000.0 * setpoint().torque_share;
  const double error_ticks = profile_ticks_ - get(kPresentPosition);
  return std::clamp(1000.0 * error_ticks / kErrorOfFullDriveTicks, -most, most);
}

void VirtualServo::warm_up(double dt_s) noexcept {
  const double drive = load_permille_ / 1000.0;
  const double settled_c = kAmbientC + kFullDriveRiseC * drive * drive;
  if (!conditions_.temperature_c && dt_s > 0.0) {
    temperature_c_ += (settled_c - temperature_c_) * (1.0 - std::exp(-dt_s / kThermalTimeS));
  }
  store(kTemperature, static_cast<int32_t>(std::lround(std::clamp(temperature_c_, 0.0, 255.0))));
}

void VirtualServo::protect(double dt_s) noexcept {
  ProtectionInputs in{};
  in.temperature_c = get(kTemperature);
  in.max_temperature_c = get(kMaxTemperature);
  in.voltage_dv = get(kVoltage);
  in.min_voltage_dv = get(kMinVoltage);
  in.max_voltage_dv = get(kMaxVoltage);
  in.load_permille = static_cast<int>(std::lround(std::clamp(load_permille_, -1000.0, 1000.0)));
  in.overload_permille = 10 * get(kOverloadTorque);
  in.current_counts = get(kPresentCurrent);
  in.max_current_counts = get(kProtectionCurrent);
  in.overload_time_s = get(kProtectionTime) * kProtectionTime.per_count;
  in.over_current_time_s = get(kOverCurrentTime) * kOverCurrentTime.per_count;
  in.unloading_condition = memory_[kUnloading.address];
  protection_.step(in, dt_s);
  if (protection_.torque_off()) memory_[kTorqueEnable.address] = 0;
  store(kStatus, protection_.error_bits());
}

double VirtualServo::goal_ticks() const noexcept {
  const int lowest = get(kMinPosition);
  const int highest = get(kMaxPosition);
  const int goal = get(kGoalPosition);
  return lowest < highest ? std::clamp(goal, lowest, highest) : goal;  // both 0: no limits
}

void VirtualServo::advance_profile(double dt_s) noexcept {
  if (!has_torque() || !(dt_s > 0.0)) return;
  double fastest = get(kMaxVelocity) * kVelocityStep;
  const double asked = std::abs(get(kGoalVelocity));
  if (asked > 0.0) fastest = std::min(fastest, asked);
  const double left = goal_ticks() - profile_ticks_;
  double speed = std::clamp(left / dt_s, -fastest, fastest);
  if (get(kAcceleration) > 0) {
    const double acceleration = std::min(get(kAcceleration), get(kMaxAcceleration)) * kAccelerationStep;
    // From this speed it just stops in time, losing acceleration * dt_s at each step.
    const double half_step = dt_s / 2.0;
    const double stopping =
        acceleration * (std::sqrt(half_step * half_step + 2.0 * std::abs(left) / acceleration) - half_step);
    speed = std::clamp(speed, -stopping, stopping);
    speed = std::clamp(speed, profile_speed_ - acceleration * dt_s, profile_speed_ + acceleration * dt_s);
  }
  profile_speed_ = speed;
  profile_ticks_ += speed * dt_s;
  if (std::abs(goal_ticks() - profile_ticks_) < 1e-6) profile_ticks_ = goal_ticks();
}

void VirtualServo::show_present() noexcept {
  double position = actual_ticks_ - get(kHomingOffset);
  if ((get(kPhase) & kMultiTurnPhaseBit) == 0) {
    position = wrap_turn(std::round(position));
  }
  store(kPresentPosition, static_cast<int32_t>(std::lround(std::clamp(position, -32767.0, 32767.0))));
  store(kPresentVelocity, static_cast<int32_t>(std::lround(std::clamp(speed_ticks_s_, -32767.0, 32767.0))));
  store(kPresentLoad, static_cast<int32_t>(std::lround(std::clamp(load_permille_, -1000.0, 1000.0))));
  store(kPresentCurrent,
        static_cast<int32_t>(std::lround(std::clamp(load_permille_, -1000.0, 1000.0) / 1000.0 * kStallCurrentCounts)));
  if (!has_torque()) {
    profile_ticks_ = get(kPresentPosition);
    profile_speed_ = 0.0;
  }
  show_moving();
}

void VirtualServo::show_moving() noexcept {
  const bool under_way = has_torque() && profile_ticks_ != goal_ticks();
  store(kMoving, under_way || std::abs(speed_ticks_s_) > get(kMovingThreshold) * kVelocityStep ? 1 : 0);
}

ServoSetpoint VirtualServo::setpoint() const noexcept {
  ServoSetpoint out;
  out.torque_enabled = has_torque();
  if (out.torque_enabled) out.torque_share = get(kTorqueLimit) * kTorqueLimit.per_count;
  if (protection_.torque_reduced()) {
    out.torque_share = std::min(out.torque_share, get(kProtectiveTorque) * kProtectiveTorque.per_count);
  }
  // The servo knows its place within a turn only: an error of a turn is none to it.
  const double whole_turns =
      kTicksPerTurn * std::round((actual_ticks_ - get(kHomingOffset) - get(kPresentPosition)) / kTicksPerTurn);
  out.position_ticks = out.torque_enabled ? profile_ticks_ + get(kHomingOffset) + whole_turns : actual_ticks_;
  if (conditions_.blocked) out.position_ticks = blocked_ticks_;
  return out;
}

}  // namespace so100
