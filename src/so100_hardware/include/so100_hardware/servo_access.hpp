// Single registers of single servos outside of the control cycle: patient, checked, and with words for the operator.
#pragma once

#include <string>

#include "so100_hardware/bus.hpp"
#include "so100_hardware/servo_group.hpp"

namespace so100 {

// The first packet after a port was opened may get lost, and a busy host may answer for a simulated servo too late.
constexpr int kLookRounds = 5;
constexpr std::chrono::milliseconds kLookPause{100};

std::string servo_text(const ServoJoint& joint);  // "servo 3 (elbow_flex)"

// Throws BusError for any fault: kPortLost, kNoReply. `what` completes "no reply while ...".
[[noreturn]] void throw_fault(Fault fault, const std::string& port, const std::string& what);

int32_t read_register(Bus& bus, const ServoJoint& joint, const Register& r);

// Writes, reads back and compares. EEPROM registers are unlocked for it and locked again.
void write_register(Bus& bus, const ServoJoint& joint, const Register& r, int32_t value);

}  // namespace so100
