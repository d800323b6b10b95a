// What an arm's description asks of its servos beyond goals: looked at or written once, before torque.
#pragma once

#include <string>
#include <vector>

#include "so100_hardware/arm_config.hpp"
#include "so100_hardware/bus.hpp"

namespace so100 {

// All servos have the same firmware, as LeRobot asks for too. Throws BusError (kWrongFirmware).
void check_firmware(Bus& bus, const std::vector<ArmJoint>& joints);

// Where the description names a homing offset: it and the position limits are what the servo has. Throws BusError
// (kForeignCalibration).
void check_calibration(Bus& bus, const std::vector<ArmJoint>& joints);

// Writes the gains that differ, which is EEPROM, and only to servos without torque. Returns one line for each that was
// written, for the log. Throws BusError (kBadRequest) for a servo with torque on, else as write_register.
std::vector<std::string> write_gains(Bus& bus, const std::vector<ArmJoint>& joints);

// SRAM: the servo forgets it at power-off. Throws as write_register.
void write_torque_limits(Bus& bus, const std::vector<ArmJoint>& joints);

}  // namespace so100
