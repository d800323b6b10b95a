#include "so100_hardware/servo_access.hpp"

#include <thread>

namespace so100 {
namespace {

constexpr const Register& kLock = register_named("lock");

// As read and write of Bus, tried kLookRounds times.
template <typename Request>
Fault patiently(Request request) {
  Fault fault = request();
  for (int round = 1; round < kLookRounds && fault != Fault::kNone && fault != Fault::kPortLost; ++round) {
    std::this_thread::sleep_for(kLookPause);
    fault = request();
  }
  return fault;
}

void write_once(Bus& bus, const ServoJoint& joint, const Register& r, int32_t value) {
  const uint16_t raw = r.encode(value);
  const uint8_t bytes[2] = {static_cast<uint8_t>(raw), static_cast<uint8_t>(raw >> 8)};
  const Fault fault = patiently([&] { return bus.write(joint.servo_id, r.address, bytes, r.size); });
  if (fault != Fault::kNone) {
    throw_fault(fault, bus.port(), "writing " + std::string(r.name) + " of " + servo_text(joint));
  }
}

}  // namespace

std::string servo_text(const ServoJoint& joint) {
  return "servo " + std::to_string(joint.servo_id) + " (" + joint.name + ")";
}

void throw_fault(Fault fault, const std::string& port, const std::string& what) {
  if (fault == Fault::kPortLost) {
    throw BusError(ErrorKind::kPortLost,
                   port + ": the device is gone (unplugged, or its simulator ended) while " + what);
  }
  const bool silent = fault == Fault::kNoReply;
  throw BusError(ErrorKind::kNoReply, port + ": " + (silent ? "no reply" : "only garbage") + " while " + what +
                                          ". Torque was left off; " +
                                          (silent ? "check cables and power and start again."
                                                  : "two servos with one id, or a bad cable: `so100 doctor` tells."));
}

int32_t read_register(Bus& bus, const ServoJoint& joint, const Register& r) {
  uint8_t bytes[2] = {0, 0};
  const Fault fault = patiently([&] { return bus.read(joint.servo_id, r.address, bytes, r.size); });
  if (fault != Fault::kNone) {
    throw_fault(fault, bus.port(), "reading " + std::string(r.name) + " of " + servo_text(joint));
  }
  return r.decode(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

void write_register(Bus& bus, const ServoJoint& joint, const Register& r, int32_t value) {
  const bool locked = r.memory != Memory::kSram;
  if (locked) write_once(bus, joint, kLock, 0);
  write_once(bus, joint, r, value);
  if (locked) write_once(bus, joint, kLock, 1);
  const int32_t found = read_register(bus, joint, r);
  if (found != value) {
    throw BusError(ErrorKind::kNoReply, bus.port() + ": " + servo_text(joint) + " did not take " + std::string(r.name) +
                                            ": expected " + std::to_string(value) + ", found " + std::to_string(found) +
                                            ". Torque was left off; check power and start again.");
  }
}

}  // namespace so100
