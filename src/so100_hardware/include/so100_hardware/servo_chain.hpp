// The servos on one bus: who obeys a request, and what they answer. No I/O and no clock of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "so100_hardware/ledger.hpp"
#include "so100_hardware/packet.hpp"
#include "so100_hardware/virtual_servo.hpp"

namespace so100 {

struct Reply {
  std::size_t servo = 0;  // place in the chain
  uint8_t address = 0;    // of the first register in it
  double delay_s = 0.0;   // after the end of what comes before it
  bool collides = false;  // goes out at the same time as the reply before it
  std::size_t size = 0;
  std::array<uint8_t, kMaxPacketBytes> bytes{};
};

class ServoChain {
 public:
  // Throws BusError (kBadRequest) for ids that are no servo's or not different.
  ServoChain(const std::vector<uint8_t>& ids, const std::vector<double>& start_ticks, double eeprom_write_time_s);

  std::size_t size() const noexcept { return servos_.size(); }
  std::vector<uint8_t> ids() const;
  VirtualServo& operator[](std::size_t i) noexcept { return servos_[i].servo; }
  const VirtualServo& operator[](std::size_t i) const noexcept { return servos_[i].servo; }
  // By its id register. Throws BusError (kBadRequest).
  VirtualServo& of_id(uint8_t servo_id);
  uint8_t name_of(std::size_t i) const noexcept;

  struct Request {
    PacketView packet;
    uint64_t number;
    double time_s;  // when its last byte came
    int baud_rate;  // servos that are set to another one do not understand it
    bool tampered;
  };
  // The replies in the order of the bus, valid until the next request.
  const std::vector<Reply>& handle(const Request& request, Ledger* ledger);
  // Whether EEPROM has taken anything since the last call.
  bool eeprom_changed() noexcept;

 private:
  struct Slot {
    VirtualServo servo;
    double storing_until_s = 0.0;  // it answers nothing while its EEPROM is written
  };

  bool hears(const Slot& slot, uint8_t id, const Request& request) const noexcept;
  void execute(std::size_t i, const Request& request, bool broadcast, Ledger* ledger);
  void sync_read(const Request& request);
  void sync_write(const Request& request, Ledger* ledger);
  // Returns how long the servo then stores.
  double write(std::size_t i, uint8_t address, const uint8_t* data, std::size_t size, const Request& request,
               Ledger* ledger);
  double stored(Slot& slot, bool eeprom, double time_s) noexcept;
  void reply(std::size_t i, uint8_t id, uint8_t address, const uint8_t* data, std::size_t count, double extra_s);

  std::vector<Slot> servos_;
  std::vector<Reply> replies_;
  double eeprom_write_time_s_;
  bool eeprom_changed_ = false;
};

}  // namespace so100
