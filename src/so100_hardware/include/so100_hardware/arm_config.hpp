// What one arm is, out of the strings of a robot description's <ros2_control> block. The ros2_control plugin and
// so100_driver are both configured by it, so what a parameter means is decided here alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "so100_hardware/bus.hpp"
#include "so100_hardware/servo_group.hpp"

namespace so100 {

using Parameters = std::map<std::string, std::string>;

// A <joint> of the block: its <param>s, and the bounds of its position command_interface.
struct JointBlock {
  std::string name;
  Parameters parameters;
  std::string command_min;  // rad
  std::string command_max;  // rad
};

struct ArmJoint {
  ServoJoint servo;
  double max_velocity_rad_s = 0.0;
  // The rest is left as the servo has it where the block says nothing.
  std::optional<int> homing_offset;    // ticks; a servo with another one belongs to another arm's calibration
  std::optional<double> torque_limit;  // share of full torque, 0 to 1
  std::optional<int> p_coefficient;    // EEPROM, hence written only when another value is found
  std::optional<int> i_coefficient;
  std::optional<int> d_coefficient;
  std::optional<double> park_rad;  // where `deactivate` brings the joint first
};

struct ArmConfig {
  std::string usb_port;
  BusOptions bus;
  std::vector<ArmJoint> joints;
  double max_step_rad = 0.2;  // no goal is further than this from the one before, however long the cycle took
  bool torque_off_on_deactivate = true;
  double park_time_limit_s = 5.0;
  bool auto_reconnect = false;

  bool parks() const noexcept;  // whether any joint has a park angle
};

// Throws BusError (kDescription) that names the field, what was expected and what was found. Parameters that are not
// known are refused too: a misspelt limit must not go unnoticed.
ArmConfig parse_arm_config(const Parameters& hardware, const std::vector<JointBlock>& joints);

}  // namespace so100
