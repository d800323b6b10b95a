#include "so100_hardware/bus.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace so100 {
namespace {

// A reply that came too late may be taken for the next request's: packets carry no number. So for a while after a lost
// one, a request that has all its replies listens a moment longer, whether another answer contradicts one of them.
constexpr std::chrono::milliseconds kSuspicion{200};
constexpr std::chrono::milliseconds kGrace{2};

SteadyTime now() { return std::chrono::steady_clock::now(); }

bool touches_eeprom(uint8_t address, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    const Register* r = register_at(static_cast<uint8_t>(address + i));
    if (r != nullptr && r->memory != Memory::kSram) return true;
  }
  return false;
}

}  // namespace

const char* fault_name(Fault fault) noexcept {
  switch (fault) {
    case Fault::kNone:
      return "";
    case Fault::kNoReply:
      return "no_reply";
    case Fault::kCorruptReply:
      return "corrupt_reply";
    case Fault::kPortLost:
      return "port_lost";
    case Fault::kBadGoal:
      return "bad_goal";
  }
  return "unknown";
}

Bus::Bus(const std::string& port, const BusOptions& options) : port_(port, options.baud_rate), options_(options) {
  if (options.retries < 0 || options.retries > 10) {
    throw BusError(ErrorKind::kBadRequest, "retries: expected 0 to 10, found " + std::to_string(options.retries));
  }
  if (options.reply_timeout <= Duration::zero() || options.eeprom_timeout <= Duration::zero()) {
    throw BusError(ErrorKind::kBadRequest, "reply_timeout: expected more than 0 s");
  }
}

Bus::Duration Bus::time_on_wire(std::size_t bytes) const noexcept {
  return Duration(bytes * 10 * 1000000 / static_cast<std::size_t>(options_.baud_rate) + 1);  // 10 bits a byte
}

Fault Bus::send(uint8_t id, Instruction instruction, const uint8_t* parameters, std::size_t count) noexcept {
  if (instruction != Instruction::kSyncWrite) {  // the one of the cycle that has no reply
    // What came late or unasked must not be taken for the reply to this request.
    const int stray = port_.discard_input();
    if (stray < 0) return Fault::kPortLost;
    counters_.discarded_bytes += static_cast<uint64_t>(stray);
    parser_.clear();
  }
  uint8_t packet[kMaxPacketBytes];
  const std::size_t size = encode_packet(id, static_cast<uint8_t>(instruction), parameters, count, packet);
  const SteadyTime deadline = now() + options_.reply_timeout + time_on_wire(size);
  return port_.write_all(packet, size, deadline) ? Fault::kNone : Fault::kPortLost;
}

// Reads more bytes into the parser; false at the deadline or (with *lost) when the device is gone.
bool Bus::fill(SteadyTime deadline, bool* lost) noexcept {
  uint8_t bytes[256];
  const int n = port_.read_some(bytes, sizeof(bytes), deadline);
  *lost = n < 0;
  if (n > 0) parser_.push(bytes, static_cast<std::size_t>(n));
  return n > 0;
}

// Packets until every row is fresh or the deadline has come.
Fault Bus::receive_row(const uint8_t* ids, std::size_t count, std::size_t size, uint8_t* data, uint8_t* statuses,
                       bool* fresh, SteadyTime deadline) noexcept {
  std::size_t missing = static_cast<std::size_t>(std::count(fresh, fresh + count, false));
  const uint64_t noise_before = parser_.discarded_bytes() + parser_.checksum_errors() + counters_.foreign_packets;
  std::array<bool, kMaxServos> doubtful{};
  parser_.expect_at_most(size);
  const bool suspicious = now() < suspicious_until_;
  SteadyTime grace_end = SteadyTime::max();
  while (missing > 0 || suspicious) {
    if (missing > 0) {
      grace_end = SteadyTime::max();
    } else if (grace_end == SteadyTime::max()) {
      grace_end = now() + kGrace;
    }
    PacketView packet{};
    if (!parser_.next(&packet)) {
      bool lost = false;
      if (fill(std::min(deadline, grace_end), &lost)) continue;
      if (lost) return Fault::kPortLost;
      if (missing == 0) return Fault::kNone;
      suspicious_until_ = now() + kSuspicion;
      const uint64_t noise = parser_.discarded_bytes() + parser_.checksum_errors() + counters_.foreign_packets;
      return noise != noise_before || parser_.pending() > 0 ? Fault::kCorruptReply : Fault::kNoReply;
    }
    const auto* const row = std::find(ids, ids + count, packet.id);
    const auto i = static_cast<std::size_t>(row - ids);
    if (i == count || doubtful[i] || packet.count != size) {
      ++counters_.foreign_packets;
      continue;
    }
    if (fresh[i]) {
      // Two answers of one servo that differ: one is another servo's with a garbled id. Neither is believed.
      ++counters_.foreign_packets;
      if (size > 0 && std::memcmp(data + i * size, packet.parameters, size) != 0) {
        doubtful[i] = true;
        fresh[i] = false;
        ++missing;
      }
      continue;
    }
    if (size > 0) std::memcpy(data + i * size, packet.parameters, size);
    statuses[i] = packet.code;
    fresh[i] = true;
    --missing;
  }
  return Fault::kNone;
}

Fault Bus::transact(uint8_t id, Instruction instruction, const uint8_t* parameters, std::size_t count, uint8_t* reply,
                    std::size_t reply_count, uint8_t* status, Duration timeout, int retries) noexcept {
  ++counters_.requests;
  Fault fault = Fault::kNoReply;
  for (int attempt = 0; attempt <= retries; ++attempt) {
    if (attempt > 0) ++counters_.retries;
    fault = send(id, instruction, parameters, count);
    if (fault == Fault::kPortLost) break;
    const SteadyTime deadline = now() + timeout + time_on_wire(2 * kOverheadBytes + count + reply_count);
    bool fresh = false;
    uint8_t error_bits = 0;
    fault = receive_row(&id, 1, reply_count, reply, &error_bits, &fresh, deadline);
    if (fault == Fault::kNone && status != nullptr) *status = error_bits;
    if (fault == Fault::kNone || fault == Fault::kPortLost) break;
  }
  if (fault != Fault::kNone) ++counters_.failures;
  return fault;
}

Fault Bus::ping(uint8_t id, uint8_t* status) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  return transact(id, Instruction::kPing, nullptr, 0, nullptr, 0, status, options_.reply_timeout, options_.retries);
}

Fault Bus::ping_all(Duration window, uint8_t* replies) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counters_.requests;
  std::fill(replies, replies + kBroadcastId, uint8_t{0});
  const Fault fault = send(kBroadcastId, Instruction::kPing, nullptr, 0);
  if (fault != Fault::kNone) return fault;
  parser_.expect_at_most(0);
  const SteadyTime deadline = now() + window;
  for (;;) {
    PacketView packet{};
    if (parser_.next(&packet)) {
      if (packet.id < kBroadcastId && packet.count == 0 && replies[packet.id] < 255) {
        ++replies[packet.id];
      } else {
        ++counters_.foreign_packets;
      }
      continue;
    }
    bool lost = false;
    if (fill(deadline, &lost)) continue;
    return lost ? Fault::kPortLost : Fault::kNone;
  }
}

Fault Bus::read(uint8_t id, uint8_t address, uint8_t* data, std::size_t size) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint8_t parameters[] = {address, static_cast<uint8_t>(size)};
  return transact(id, Instruction::kRead, parameters, 2, data, size, nullptr, options_.reply_timeout, options_.retries);
}

Fault Bus::glance(uint8_t id, uint8_t address, uint8_t* data, std::size_t size, Duration timeout) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint8_t parameters[] = {address, static_cast<uint8_t>(size)};
  return transact(id, Instruction::kRead, parameters, 2, data, size, nullptr, timeout, 0);
}

Fault Bus::write_as(Instruction instruction, uint8_t id, uint8_t address, const uint8_t* data,
                    std::size_t size) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  uint8_t parameters[kMaxParameters];
  size = std::min(size, kMaxParameters - 1);
  parameters[0] = address;
  std::memcpy(parameters + 1, data, size);
  if (id == kBroadcastId) return send(id, instruction, parameters, size + 1);
  const Duration timeout = touches_eeprom(address, size) ? options_.eeprom_timeout : options_.reply_timeout;
  return transact(id, instruction, parameters, size + 1, nullptr, 0, nullptr, timeout, options_.retries);
}

Fault Bus::write(uint8_t id, uint8_t address, const uint8_t* data, std::size_t size) noexcept {
  return write_as(Instruction::kWrite, id, address, data, size);
}

Fault Bus::reg_write(uint8_t id, uint8_t address, const uint8_t* data, std::size_t size) noexcept {
  return write_as(Instruction::kRegWrite, id, address, data, size);
}

Fault Bus::action() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  return send(kBroadcastId, Instruction::kAction, nullptr, 0);
}

Fault Bus::sync_read(uint8_t address, std::size_t size, const uint8_t* ids, std::size_t count, uint8_t* data,
                     uint8_t* statuses, bool* fresh) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counters_.requests;
  std::fill(fresh, fresh + count, false);
  Fault fault = Fault::kNoReply;
  for (int attempt = 0; attempt <= options_.retries; ++attempt) {
    if (attempt > 0) ++counters_.retries;
    uint8_t parameters[2 + kMaxServos] = {address, static_cast<uint8_t>(size)};
    std::size_t asked = 0;
    for (std::size_t i = 0; i < count && i < kMaxServos; ++i) {
      if (!fresh[i]) parameters[2 + asked++] = ids[i];
    }
    fault = send(kBroadcastId, Instruction::kSyncRead, parameters, 2 + asked);
    if (fault == Fault::kPortLost) break;
    const SteadyTime deadline =
        now() + options_.reply_timeout + time_on_wire(kOverheadBytes + 2 + asked + asked * (kOverheadBytes + size));
    fault = receive_row(ids, count, size, data, statuses, fresh, deadline);
    if (fault == Fault::kNone || fault == Fault::kPortLost) break;
  }
  if (fault != Fault::kNone) ++counters_.failures;
  return fault;
}

Fault Bus::sync_write(uint8_t address, std::size_t size, const uint8_t* ids, std::size_t count,
                      const uint8_t* data) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  uint8_t parameters[kMaxParameters] = {address, static_cast<uint8_t>(size)};
  std::size_t used = 2;
  for (std::size_t i = 0; i < count && used + 1 + size <= kMaxParameters; ++i) {
    parameters[used++] = ids[i];
    std::memcpy(parameters + used, data + i * size, size);
    used += size;
  }
  return send(kBroadcastId, Instruction::kSyncWrite, parameters, used);
}

BusCounters Bus::counters() const noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  BusCounters counters = counters_;
  counters.discarded_bytes += parser_.discarded_bytes();
  counters.checksum_errors = parser_.checksum_errors();
  return counters;
}

}  // namespace so100
