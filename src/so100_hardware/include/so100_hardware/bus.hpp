// The servo bus as its master sees it: one request at a time, each answered or given up by a deadline.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/packet.hpp"
#include "so100_hardware/registers.hpp"
#include "so100_hardware/serial_port.hpp"

namespace so100 {

constexpr std::size_t kMaxServos = 16;  // in one sync request

struct BusOptions {
  int baud_rate = 1000000;
  // Silence after which a reply counts as lost. USB adapters answer within 5 ms; the rest is for a busy host.
  std::chrono::microseconds reply_timeout{20000};
  // An EEPROM write is acknowledged only when the servo has stored it.
  std::chrono::microseconds eeprom_timeout{100000};
  // A request is sent at most 1 + retries times. So no call takes longer than (1 + retries) * (timeout + the time of
  // its bytes on the wire).
  int retries = 1;
};

struct BusCounters {
  uint64_t requests = 0;         // calls that expect a reply
  uint64_t retries = 0;          // requests sent again
  uint64_t failures = 0;         // requests given up
  uint64_t discarded_bytes = 0;  // garbage between packets, and bytes that came unasked
  uint64_t checksum_errors = 0;
  uint64_t foreign_packets = 0;  // right checksum, but not the reply that was asked for
};

// Calls lock a mutex, so threads may share a Bus. Calls other than the constructor neither throw nor allocate.
class Bus {
 public:
  // Throws BusError as SerialPort does, and kBadRequest for options out of range.
  explicit Bus(const std::string& port, const BusOptions& options = {});

  // `status` gets the servo's error bits; may be null.
  Fault ping(uint8_t id, uint8_t* status) noexcept;
  // As read, but asked once and waited for no longer than `timeout`: for the control cycle.
  Fault glance(uint8_t id, uint8_t address, uint8_t* data, std::size_t size,
               std::chrono::microseconds timeout) noexcept;
  // A broadcast ping: replies[id] counts the answers of each id 0 to 253 that come within `window`. kNone also when
  // nobody answers; garbage shows in the counters.
  Fault ping_all(std::chrono::microseconds window, uint8_t* replies) noexcept;
  Fault read(uint8_t id, uint8_t address, uint8_t* data, std::size_t size) noexcept;
  Fault write(uint8_t id, uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  // Stored by the servo until `action`, which is for all servos and has no reply.
  Fault reg_write(uint8_t id, uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  Fault action() noexcept;

  // The same `size` bytes of `count` <= kMaxServos servos. Row i of `data` is that of ids[i] and valid where fresh[i];
  // statuses[i] gets its error bits. Retries ask only those that have not answered. kNone when all rows are fresh.
  Fault sync_read(uint8_t address, std::size_t size, const uint8_t* ids, std::size_t count, uint8_t* data,
                  uint8_t* statuses, bool* fresh) noexcept;
  // No reply: a lost request stays unseen until the registers are read.
  Fault sync_write(uint8_t address, std::size_t size, const uint8_t* ids, std::size_t count,
                   const uint8_t* data) noexcept;

  BusCounters counters() const noexcept;
  const std::string& port() const noexcept { return port_.path(); }

 private:
  using Duration = std::chrono::microseconds;

  Fault send(uint8_t id, Instruction instruction, const uint8_t* parameters, std::size_t count) noexcept;
  Fault transact(uint8_t id, Instruction instruction, const uint8_t* parameters, std::size_t count, uint8_t* reply,
                 std::size_t reply_count, uint8_t* status, Duration timeout, int retries) noexcept;
  Fault write_as(Instruction instruction, uint8_t id, uint8_t address, const uint8_t* data, std::size_t size) noexcept;
  Fault receive_row(const uint8_t* ids, std::size_t count, std::size_t size, uint8_t* data, uint8_t* statuses,
                    bool* fresh, SteadyTime deadline) noexcept;
  Duration time_on_wire(std::size_t bytes) const noexcept;
  bool fill(SteadyTime deadline, bool* lost) noexcept;

  SerialPort port_;
  BusOptions options_;
  PacketParser parser_;
  BusCounters counters_;
  SteadyTime suspicious_until_{};  // a late reply may still come
  mutable std::mutex mutex_;
};

}  // namespace so100
