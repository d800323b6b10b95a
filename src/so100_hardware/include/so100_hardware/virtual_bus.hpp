// Simulated servos behind a pseudo-terminal, answering whatever program opens it as the real bus would.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "so100_hardware/packet.hpp"
#include "so100_hardware/virtual_servo.hpp"

namespace so100 {

// One thread serves the bus; every public call may come from any other thread. They meet at one mutex.
class VirtualBus {
 public:
  // `link`: a symbolic link to the port that is made here and removed by the destructor; empty for none. A link that
  // is already there is replaced, any other file is not. `start_ticks`: where each shaft stands until the first
  // exchange, since a program may read it before that; empty for the middle, 2048. Throws BusError (kBadRequest).
  VirtualBus(const std::vector<uint8_t>& servo_ids, const std::string& link,
             const std::vector<double>& start_ticks = {});
  ~VirtualBus();
  VirtualBus(const VirtualBus&) = delete;
  VirtualBus& operator=(const VirtualBus&) = delete;

  const std::string& port() const noexcept { return port_; }
  const std::string& link() const noexcept { return link_; }
  std::size_t size() const noexcept { return servos_.size(); }

  // What each shaft does now (arrays of size()), then the servos' profiles move on by dt_s and tell where to.
  void exchange(const double* position_ticks, const double* speed_ticks_s, const double* load_permille, double dt_s,
                ServoSetpoint* setpoints) noexcept;

  // Both ways since the start, as they would have been on the wire.
  uint64_t bytes_carried() const noexcept { return bytes_carried_; }

  // Each shaft's position as last given.
  std::vector<double> actual_ticks() const;

  // Any register of a servo, past access rules and locks. Throws BusError (kBadRequest) for an unknown id, or a value
  // that the register cannot hold.
  int32_t get(uint8_t servo_id, const Register& r) const;
  void set(uint8_t servo_id, const Register& r, int32_t value);

  // A mute servo takes no notice of the bus.
  void mute(uint8_t servo_id, bool muted);
  // Bytes that go out right before the next reply, as noise on the line would.
  void inject(const std::vector<uint8_t>& bytes);

 private:
  struct Slot {
    VirtualServo servo;
    bool muted = false;
  };

  void serve() noexcept;
  void handle(const PacketView& request) noexcept;
  void handle_sync_read(const PacketView& request) noexcept;
  void handle_sync_write(const PacketView& request) noexcept;
  bool execute(VirtualServo& servo, Instruction instruction, const uint8_t* parameters, std::size_t count,
               bool broadcast) noexcept;
  void reply(const VirtualServo& servo, const uint8_t* parameters, std::size_t count) noexcept;
  void send_replies() noexcept;
  Slot& slot_of(uint8_t servo_id);

  struct Reply {
    double delay_s;
    std::size_t size;
    std::array<uint8_t, kMaxPacketBytes> bytes;
  };

  std::vector<Slot> servos_;
  std::vector<Reply> replies_;  // of the request at hand
  std::vector<uint8_t> noise_;
  std::string port_;
  std::string link_;
  int master_fd_ = -1;
  int slave_fd_ = -1;
  int stop_fd_ = -1;
  PacketParser parser_;
  std::atomic<uint64_t> bytes_carried_{0};
  mutable std::mutex mutex_;  // guards servos_ and noise_
  std::thread thread_;
};

}  // namespace so100
