// The STS3215's register sheet. Names, addresses, signs and units of the whole package come from this table alone.
// Sources: the maker's memory table for SMS/STS servos, and lerobot's feetech tables for names and sign bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "so100_hardware/sign_magnitude.hpp"

namespace so100 {

enum class Access : uint8_t { kReadOnly, kReadWrite };

// EEPROM survives power-off and takes writes only while `lock` is 0; so do the maker's factory parameters.
enum class Memory : uint8_t { kEeprom, kSram, kFactory };

struct Register {
  std::string_view name;
  uint8_t address;
  uint8_t size;  // bytes, low byte first
  Access access;
  Memory memory;
  int8_t sign_bit;        // bit that says "negative"; -1: unsigned
  double per_count;       // one count in `unit`; 0 where a count has no physical meaning
  std::string_view unit;  // SI where there is one, "" for codes and flags
  uint16_t initial;       // as the servo leaves the factory, or has it after power-on

  constexpr int32_t decode(uint16_t raw) const noexcept { return decode_sign_magnitude(raw, sign_bit); }
  constexpr uint16_t encode(int32_t value) const noexcept { return encode_sign_magnitude(value, sign_bit); }
  constexpr bool holds(int32_t value) const noexcept { return sign_magnitude_holds(value, sign_bit, size); }
};

constexpr int kTicksPerTurn = 4096;
constexpr double kPi = 3.14159265358979323846;
constexpr double kRadPerTick = 2.0 * kPi / kTicksPerTurn;
constexpr uint16_t kModelSts3215 = 777;

namespace sheet {
constexpr Access R = Access::kReadOnly;
constexpr Access RW = Access::kReadWrite;
constexpr Memory E = Memory::kEeprom;
constexpr Memory S = Memory::kSram;
constexpr Memory F = Memory::kFactory;
}  // namespace sheet

// clang-format off
inline constexpr Register kRegisters[] = {
    // name                            address size access memory      sign per_count    unit     initial
    {"firmware_major_version",               0, 1, sheet::R,  sheet::E, -1, 0.0,         "",           3},
    {"firmware_minor_version",               1, 1, sheet::R,  sheet::E, -1, 0.0,         "",          10},
    {"model_number",                         3, 2, sheet::R,  sheet::E, -1, 0.0,         "", kModelSts3215},
    {"id",                                   5, 1, sheet::RW, sheet::E, -1, 0.0,         "",           1},
    {"baud_rate",                            6, 1, sheet::RW, sheet::E, -1, 0.0,         "",           0},
    {"return_delay_time",                    7, 1, sheet::RW, sheet::E, -1, 2e-6,        "s",        250},
    {"response_status_level",                8, 1, sheet::RW, sheet::E, -1, 0.0,         "",           1},
    {"min_position_limit",                   9, 2, sheet::RW, sheet::E, -1, kRadPerTick, "rad",        0},
    {"max_position_limit",                  11, 2, sheet::RW, sheet::E, -1, kRadPerTick, "rad",     4095},
    {"max_temperature_limit",               13, 1, sheet::RW, sheet::E, -1, 1.0,         "degC",      70},
    {"max_voltage_limit",                   14, 1, sheet::RW, sheet::E, -1, 0.1,         "V",         80},
    {"min_voltage_limit",                   15, 1, sheet::RW, sheet::E, -1, 0.1,         "V",         40},
    {"max_torque_limit",                    16, 2, sheet::RW, sheet::E, -1, 1e-3,        "1",       1000},
    {"phase",                               18, 1, sheet::RW, sheet::E, -1, 0.0,         "",          12},
    {"unloading_condition",                 19, 1, sheet::RW, sheet::E, -1, 0.0,         "",          44},
    {"led_alarm_condition",                 20, 1, sheet::RW, sheet::E, -1, 0.0,         "",          47},
    {"p_coefficient",                       21, 1, sheet::RW, sheet::E, -1, 0.0,         "",          32},
    {"d_coefficient",                       22, 1, sheet::RW, sheet::E, -1, 0.0,         "",          32},
    {"i_coefficient",                       23, 1, sheet::RW, sheet::E, -1, 0.0,         "",           0},
    {"minimum_startup_force",               24, 2, sheet::RW, sheet::E, -1, 1e-3,        "1",         16},
    {"cw_dead_zone",                        26, 1, sheet::RW, sheet::E, -1, kRadPerTick, "rad",        1},
    {"ccw_dead_zone",                       27, 1, sheet::RW, sheet::E, -1, kRadPerTick, "rad",        1},
    {"protection_current",                  28, 2, sheet::RW, sheet::E, -1, 6.5e-3,      "A",        500},
    {"angular_resolution",                  30, 1, sheet::RW, sheet::E, -1, 0.0,         "",           1},
    {"homing_offset",                       31, 2, sheet::RW, sheet::E, 11, kRadPerTick, "rad",        0},
    {"operating_mode",                      33, 1, sheet::RW, sheet::E, -1, 0.0,         "",           0},
    {"protective_torque",                   34, 1, sheet::RW, sheet::E, -1, 1e-2,        "1",         20},
    {"protection_time",                     35, 1, sheet::RW, sheet::E, -1, 1e-2,        "s",        200},
    {"overload_torque",                     36, 1, sheet::RW, sheet::E, -1, 1e-2,        "1",         80},
    {"velocity_p_coefficient",              37, 1, sheet::RW, sheet::E, -1, 0.0,         "",          10},
    {"over_current_protection_time",        38, 1, sheet::RW, sheet::E, -1, 1e-2,        "s",        200},
    {"velocity_i_coefficient",              39, 1, sheet::RW, sheet::E, -1, 0.0,         "",          10},
    {"torque_enable",                       40, 1, sheet::RW, sheet::S, -1, 0.0,         "",           0},
    {"acceleration",                        41, 1, sheet::RW, sheet::S, -1, 100.0 * kRadPerTick, "rad/s2", 0},
    {"goal_position",                       42, 2, sheet::RW, sheet::S, 15, kRadPerTick, "rad",        0},
    {"goal_time",                           44, 2, sheet::RW, sheet::S, -1, 1e-3,        "s",          0},
    {"goal_velocity",                       46, 2, sheet::RW, sheet::S, 15, kRadPerTick, "rad/s",      0},
    {"torque_limit",                        48, 2, sheet::RW, sheet::S, -1, 1e-3,        "1",       1000},
    {"lock",                                55, 1, sheet::RW, sheet::S, -1, 0.0,         "",           1},
    {"present_position",                    56, 2, sheet::R,  sheet::S, 15, kRadPerTick, "rad",     2048},
    {"present_velocity",                    58, 2, sheet::R,  sheet::S, 15, kRadPerTick, "rad/s",      0},
    {"present_load",                        60, 2, sheet::R,  sheet::S, 10, 1e-3,        "1",          0},
    {"present_voltage",                     62, 1, sheet::R,  sheet::S, -1, 0.1,         "V",         74},
    {"present_temperature",                 63, 1, sheet::R,  sheet::S, -1, 1.0,         "degC",      30},
    {"registered_write",                    64, 1, sheet::R,  sheet::S, -1, 0.0,         "",           0},
    {"status",                              65, 1, sheet::R,  sheet::S, -1, 0.0,         "",           0},
    {"moving",                              66, 1, sheet::R,  sheet::S, -1, 0.0,         "",           0},
    {"present_current",                     69, 2, sheet::R,  sheet::S, 15, 6.5e-3,      "A",          0},
    {"goal_position_2",                     71, 2, sheet::R,  sheet::S, 15, kRadPerTick, "rad",        0},
    {"moving_velocity_threshold",           80, 1, sheet::RW, sheet::F, -1, 50.0 * kRadPerTick, "rad/s", 1},
    {"dts",                                 81, 1, sheet::RW, sheet::F, -1, 1e-3,        "s",         10},
    {"velocity_unit_factor",                82, 1, sheet::RW, sheet::F, -1, 0.0,         "",          50},
    {"hts",                                 83, 1, sheet::RW, sheet::F, -1, 0.0,         "",           0},
    {"maximum_velocity_limit",              84, 1, sheet::RW, sheet::F, -1, 50.0 * kRadPerTick, "rad/s", 80},
    {"maximum_acceleration",                85, 1, sheet::RW, sheet::F, -1, 100.0 * kRadPerTick, "rad/s2", 254},
    {"acceleration_multiplier",             86, 1, sheet::RW, sheet::F, -1, 0.0,         "",           1},
};
// clang-format on

// Throws std::out_of_range for a name that is not on the sheet; in a constant expression that is a compile error.
constexpr const Register& register_named(std::string_view name) {
  for (const Register& r : kRegisters) {
    if (r.name == name) return r;
  }
  throw std::out_of_range("no register of that name");
}

// The register that the byte at `address` belongs to, or null.
constexpr const Register* register_at(uint8_t address) noexcept {
  for (const Register& r : kRegisters) {
    if (address >= r.address && address < r.address + r.size) return &r;
  }
  return nullptr;
}

// What a control cycle reads from each servo in one block: position to current.
inline constexpr const Register& kPresentPosition = register_named("present_position");
inline constexpr const Register& kPresentCurrent = register_named("present_current");
constexpr uint8_t kFeedbackAddress = kPresentPosition.address;
constexpr uint8_t kFeedbackBytes = kPresentCurrent.address + kPresentCurrent.size - kPresentPosition.address;

}  // namespace so100
