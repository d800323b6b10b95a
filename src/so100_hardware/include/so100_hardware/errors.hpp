// What can go wrong. Faults are the plain codes of the control cycle; BusError is thrown outside of it and carries a
// message for the operator: what was expected, what was found, what to do.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace so100 {

enum class Fault : uint8_t {
  kNone = 0,
  kNoReply,       // nothing came before the deadline
  kCorruptReply,  // bytes came, but no whole packet of the asked servo
  kPortLost,      // the device is gone (unplugged, simulator ended)
  kBadGoal,       // a goal that is not a number; nothing was sent
};

const char* fault_name(Fault fault) noexcept;

enum class ErrorKind : uint8_t {
  kPortNotFound,
  kPortPermission,
  kNotASerialPort,
  kPortInUse,
  kPortLost,
  kNoBus,
  kMissingServo,
  kWrongModel,
  kWrongFirmware,
  kWrongMode,
  kForeignCalibration,
  kDescription,
  kNoReply,
  kBadRequest,
};

class BusError : public std::runtime_error {
 public:
  BusError(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace so100
