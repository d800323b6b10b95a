#include "so100_hardware/servo_settings.hpp"

#include <cmath>
#include <utility>

#include "so100_hardware/servo_access.hpp"

namespace so100 {
namespace {

constexpr const Register& kFirmwareMajor = register_named("firmware_major_version");
constexpr const Register& kFirmwareMinor = register_named("firmware_minor_version");
constexpr const Register& kHomingOffset = register_named("homing_offset");
constexpr const Register& kMinPosition = register_named("min_position_limit");
constexpr const Register& kMaxPosition = register_named("max_position_limit");
constexpr const Register& kTorqueEnable = register_named("torque_enable");
constexpr const Register& kTorqueLimit = register_named("torque_limit");

}  // namespace

void check_firmware(Bus& bus, const std::vector<ArmJoint>& joints) {
  std::string first;
  for (const ArmJoint& joint : joints) {
    const std::string version = std::to_string(read_register(bus, joint.servo, kFirmwareMajor)) + "." +
                                std::to_string(read_register(bus, joint.servo, kFirmwareMinor));
    if (first.empty()) first = version;
    if (version != first) {
      throw BusError(ErrorKind::kWrongFirmware,
                     bus.port() + ": " + servo_text(joint.servo) + ": expected firmware " + first + " as " +
                         servo_text(joints.front().servo) + " has, found " + version +
                         ". Servos of different firmware answer differently; update them with Feetech's FD program.");
    }
  }
}

void check_calibration(Bus& bus, const std::vector<ArmJoint>& joints) {
  for (const ArmJoint& joint : joints) {
    if (!joint.homing_offset) continue;
    for (const auto& [r, expected] :
         {std::pair{&kHomingOffset, *joint.homing_offset}, std::pair{&kMinPosition, joint.servo.range_min},
          std::pair{&kMaxPosition, joint.servo.range_max}}) {
      const int32_t found = read_register(bus, joint.servo, *r);
      if (found == expected) continue;
      throw BusError(ErrorKind::kForeignCalibration,
                     bus.port() + ": " + servo_text(joint.servo) + ": expected " + std::string(r->name) + " " +
                         std::to_string(expected) + " as this arm's description says, found " + std::to_string(found) +
                         ". The description was made for another arm or before this one was calibrated anew: use this "
                         "arm's calibration file, or run `so100 calibrate`.");
    }
  }
}

std::vector<std::string> write_gains(Bus& bus, const std::vector<ArmJoint>& joints) {
  std::vector<std::string> written;
  for (const ArmJoint& joint : joints) {
    for (const auto& [name, gain] :
         {std::pair{"p_coefficient", joint.p_coefficient}, std::pair{"i_coefficient", joint.i_coefficient},
          std::pair{"d_coefficient", joint.d_coefficient}}) {
      if (!gain) continue;
      const Register& r = register_named(name);
      const int32_t found = read_register(bus, joint.servo, r);
      if (found == *gain) continue;
      if (read_register(bus, joint.servo, kTorqueEnable) != 0) {
        throw BusError(ErrorKind::kBadRequest, bus.port() + ": " + servo_text(joint.servo) + ": " + name +
                                                   ": expected " + std::to_string(*gain) + ", found " +
                                                   std::to_string(found) +
                                                   ", and torque is on, so that it cannot be set without letting the "
                                                   "arm fall. Hold the arm, switch its power off and on, start again.");
      }
      write_register(bus, joint.servo, r, *gain);
      written.push_back(servo_text(joint.servo) + ": " + name + " " + std::to_string(found) + " -> " +
                        std::to_string(*gain) + ", as the description asks (EEPROM)");
    }
  }
  return written;
}

void write_torque_limits(Bus& bus, const std::vector<ArmJoint>& joints) {
  for (const ArmJoint& joint : joints) {
    if (!joint.torque_limit) continue;
    const auto counts = static_cast<int32_t>(std::lround(*joint.torque_limit / kTorqueLimit.per_count));
    write_register(bus, joint.servo, kTorqueLimit, counts);
  }
}

}  // namespace so100
