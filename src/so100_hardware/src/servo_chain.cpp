#include "so100_hardware/servo_chain.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "so100_hardware/errors.hpp"

namespace so100 {
namespace {

constexpr const Register& kId = register_named("id");
constexpr const Register& kTorqueEnable = register_named("torque_enable");
constexpr const Register& kGoalPosition = register_named("goal_position");
constexpr double kMiddleTicks = 2048.0;
constexpr double kBaudTolerance = 0.03;  // what a receiver forgives

}  // namespace

ServoChain::ServoChain(const std::vector<uint8_t>& ids, const std::vector<double>& start_ticks,
                       double eeprom_write_time_s)
    : eeprom_write_time_s_(eeprom_write_time_s) {
  if (!start_ticks.empty() && start_ticks.size() != ids.size()) {
    throw BusError(ErrorKind::kBadRequest, "virtual bus: start_ticks: expected " + std::to_string(ids.size()) +
                                               " numbers, found " + std::to_string(start_ticks.size()));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= kBroadcastId || std::count(ids.begin(), ids.end(), ids[i]) != 1) {
      throw BusError(ErrorKind::kBadRequest, "virtual bus: servo_ids: expected different ids of 0 to 253, found " +
                                                 std::to_string(ids[i]) + (ids[i] < kBroadcastId ? " twice" : ""));
    }
    servos_.push_back({VirtualServo(ids[i], start_ticks.empty() ? kMiddleTicks : start_ticks[i])});
  }
  replies_.reserve(servos_.size());
}

uint8_t ServoChain::name_of(std::size_t i) const noexcept { return static_cast<uint8_t>(servos_[i].servo.get(kId)); }

std::vector<uint8_t> ServoChain::ids() const {
  std::vector<uint8_t> out;
  for (std::size_t i = 0; i < size(); ++i) out.push_back(name_of(i));
  return out;
}

VirtualServo& ServoChain::of_id(uint8_t servo_id) {
  for (std::size_t i = 0; i < size(); ++i) {
    if (name_of(i) == servo_id) return servos_[i].servo;
  }
  throw BusError(ErrorKind::kBadRequest, "virtual bus: no servo with id " + std::to_string(servo_id));
}

bool ServoChain::eeprom_changed() noexcept { return std::exchange(eeprom_changed_, false); }

bool ServoChain::hears(const Slot& slot, uint8_t id, const Request& request) const noexcept {
  const ServoConditions& conditions = slot.servo.conditions();
  const int baud_rate = slot.servo.baud_rate();
  return (id == kBroadcastId || slot.servo.id() == id) && !conditions.mute && !conditions.unpowered &&
         request.time_s >= slot.storing_until_s &&
         std::abs(request.baud_rate - baud_rate) <= kBaudTolerance * baud_rate;
}

const std::vector<Reply>& ServoChain::handle(const Request& request, Ledger* ledger) {
  replies_.clear();
  const auto instruction = static_cast<Instruction>(request.packet.code);
  if (instruction == Instruction::kSyncRead) {
    sync_read(request);
  } else if (instruction == Instruction::kSyncWrite) {
    sync_write(request, ledger);
  } else {
    // All hear it at once: that a write gives one of them another id changes nothing for the others.
    std::vector<std::size_t> hearers;
    for (std::size_t i = 0; i < size(); ++i) {
      if (hears(servos_[i], request.packet.id, request)) hearers.push_back(i);
    }
    for (const std::size_t i : hearers) execute(i, request, request.packet.id == kBroadcastId, ledger);
    for (std::size_t k = 1; k < replies_.size(); ++k) replies_[k].collides = request.packet.id != kBroadcastId;
  }
  return replies_;
}

void ServoChain::execute(std::size_t i, const Request& request, bool broadcast, Ledger* ledger) {
  Slot& slot = servos_[i];
  const uint8_t id = slot.servo.id();  // the acknowledgement of a new id comes from the old one
  const uint8_t* parameters = request.packet.parameters;
  const std::size_t count = request.packet.count;
  bool acknowledge = !broadcast;
  double extra_s = 0.0;
  switch (static_cast<Instruction>(request.packet.code)) {
    case Instruction::kPing:
      return reply(i, id, 0, nullptr, 0, 0.0);  // all answer a broadcast one, in the order of the bus
    case Instruction::kRead: {
      if (broadcast || count != 2 || parameters[1] > kMaxParameters) return;
      uint8_t data[kMaxParameters];
      slot.servo.read(parameters[0], parameters[1], data);
      return reply(i, id, parameters[0], data, parameters[1], 0.0);
    }
    case Instruction::kWrite:
      if (count < 2) return;
      extra_s = write(i, parameters[0], parameters + 1, count - 1, request, ledger);
      break;
    case Instruction::kRegWrite:
      if (count < 2) return;
      slot.servo.reg_write(parameters[0], parameters + 1, count - 1);
      break;
    case Instruction::kAction:
      extra_s = stored(slot, slot.servo.action(), request.time_s);
      break;
    default:
      acknowledge = false;
      break;
  }
  if (acknowledge && slot.servo.answers_writes()) reply(i, id, 0, nullptr, 0, extra_s);
}

double ServoChain::write(std::size_t i, uint8_t address, const uint8_t* data, std::size_t size, const Request& request,
                         Ledger* ledger) {
  Slot& slot = servos_[i];
  const uint8_t name = name_of(i);
  const bool torque_before = slot.servo.get(kTorqueEnable) != 0;
  const double storing_s = stored(slot, slot.servo.write(address, data, size), request.time_s);
  if (ledger->recording) {
    ledger->writes.push_back({request.number, request.time_s, name, address, std::vector<uint8_t>(data, data + size),
                              request.tampered, torque_before, slot.servo.get(kTorqueEnable) != 0,
                              slot.servo.get(kGoalPosition), slot.servo.get(kPresentPosition)});
  }
  return storing_s;
}

double ServoChain::stored(Slot& slot, bool eeprom, double time_s) noexcept {
  if (!eeprom) return 0.0;
  eeprom_changed_ = true;
  slot.storing_until_s = time_s + eeprom_write_time_s_;
  return eeprom_write_time_s_;
}

void ServoChain::sync_read(const Request& request) {
  if (request.packet.count < 2 || request.packet.parameters[1] > kMaxParameters) return;
  uint8_t data[kMaxParameters];
  const uint8_t address = request.packet.parameters[0];
  const std::size_t count = request.packet.parameters[1];
  for (std::size_t k = 2; k < request.packet.count; ++k) {
    const uint8_t id = request.packet.parameters[k];
    bool answered = false;
    for (std::size_t i = 0; i < size(); ++i) {
      if (id == kBroadcastId || !hears(servos_[i], id, request)) continue;
      servos_[i].servo.read(address, count, data);
      reply(i, id, address, data, count, 0.0);
      replies_.back().collides = answered;
      answered = true;
    }
  }
}

void ServoChain::sync_write(const Request& request, Ledger* ledger) {
  if (request.packet.count < 2 || request.packet.parameters[1] == 0) return;
  const uint8_t* parameters = request.packet.parameters;
  const std::size_t count = parameters[1];
  for (std::size_t k = 2; k + count < request.packet.count; k += 1 + count) {
    for (std::size_t i = 0; i < size(); ++i) {
      if (parameters[k] == kBroadcastId || !hears(servos_[i], parameters[k], request)) continue;
      write(i, parameters[0], parameters + k + 1, count, request, ledger);
    }
  }
}

void ServoChain::reply(std::size_t i, uint8_t id, uint8_t address, const uint8_t* data, std::size_t count,
                       double extra_s) {
  const VirtualServo& servo = servos_[i].servo;
  replies_.emplace_back();
  Reply& packet = replies_.back();
  packet.servo = i;
  packet.address = address;
  packet.delay_s = servo.return_delay_s() + extra_s;
  packet.size = encode_packet(id, servo.error_bits(), data, count, packet.bytes.data());
}

}  // namespace so100
